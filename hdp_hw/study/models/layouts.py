"""What checkpoints call their settings and tensors, by ``model_type`` of their config.json."""

from dataclasses import dataclass, field, replace

_LAYER = "encoder.layer.{}."


@dataclass(frozen=True)
class Layout:
    """Names in a checkpoint.

    prefix : what the names of an encoder below a classifier begin with.
    settings : ``{setting: name in config.json}``; fixed : ``{setting: value}`` of those that are not there.
    modules : ``{module: name}`` of weights with their biases, or of bare tensors; those of a layer hold ``{}``.
    images : the input is images; pre_norm : normalised before attention and before the inner layer, not after;
    pooler : activation between the two linear layers of a classifier, "" where there is one only.
    """

    prefix: str
    settings: dict[str, str]
    modules: dict[str, str]
    fixed: dict[str, float] = field(default_factory=dict)
    images: bool = False
    pre_norm: bool = False
    pooler: str = "tanh"


BERT = Layout(
    "bert.",
    {
        "hidden_size": "hidden_size",
        "inner_size": "intermediate_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "activation": "hidden_act",
        "epsilon": "layer_norm_eps",
        "vocabulary": "vocab_size",
        "positions": "max_position_embeddings",
        "types": "type_vocab_size",
    },
    {
        "words": "embeddings.word_embeddings",
        "positions": "embeddings.position_embeddings",
        "types": "embeddings.token_type_embeddings",
        "norm": "embeddings.LayerNorm",
        "query": _LAYER + "attention.self.query",
        "key": _LAYER + "attention.self.key",
        "value": _LAYER + "attention.self.value",
        "context": _LAYER + "attention.output.dense",
        "context_norm": _LAYER + "attention.output.LayerNorm",
        "inner": _LAYER + "intermediate.dense",
        "outer": _LAYER + "output.dense",
        "outer_norm": _LAYER + "output.LayerNorm",
        "pooler": "pooler.dense",
        "classifier": "classifier",
    },
    {"first_position": 0},
)

#: Also of XLM-R and CamemBERT. Positions are counted from behind that of the padding.
ROBERTA = replace(
    BERT,
    prefix="roberta.",
    modules=BERT.modules | {"pooler": "classifier.dense", "classifier": "classifier.out_proj"},
    fixed={"first_position": 2},
)

#: A classifier of its own kind; embeddings are as wide as the layers.
ELECTRA = replace(ROBERTA, prefix="electra.", fixed={"first_position": 0}, pooler="gelu")

_DISTILLED = "transformer.layer.{}."
DISTILBERT = Layout(
    "distilbert.",
    {
        "hidden_size": "dim",
        "inner_size": "hidden_dim",
        "n_layers": "n_layers",
        "n_heads": "n_heads",
        "activation": "activation",
        "vocabulary": "vocab_size",
        "positions": "max_position_embeddings",
    },
    {
        "words": "embeddings.word_embeddings",
        "positions": "embeddings.position_embeddings",
        "norm": "embeddings.LayerNorm",
        "query": _DISTILLED + "attention.q_lin",
        "key": _DISTILLED + "attention.k_lin",
        "value": _DISTILLED + "attention.v_lin",
        "context": _DISTILLED + "attention.out_lin",
        "context_norm": _DISTILLED + "sa_layer_norm",
        "inner": _DISTILLED + "ffn.lin1",
        "outer": _DISTILLED + "ffn.lin2",
        "outer_norm": _DISTILLED + "output_layer_norm",
        "pooler": "pre_classifier",
        "classifier": "classifier",
    },
    {"first_position": 0, "epsilon": 1e-12},
    pooler="relu",
)

VIT = Layout(
    "vit.",
    {
        name: BERT.settings[name]
        for name in ("hidden_size", "inner_size", "n_layers", "n_heads", "activation", "epsilon")
    }
    | {"image_size": "image_size", "patch_size": "patch_size", "channels": "num_channels"},
    {
        "class_token": "embeddings.cls_token",
        "positions": "embeddings.position_embeddings",
        "patches": "embeddings.patch_embeddings.projection",
        "query": _LAYER + "attention.attention.query",
        "key": _LAYER + "attention.attention.key",
        "value": _LAYER + "attention.attention.value",
        "context": _LAYER + "attention.output.dense",
        "context_norm": _LAYER + "layernorm_before",
        "inner": _LAYER + "intermediate.dense",
        "outer": _LAYER + "output.dense",
        "outer_norm": _LAYER + "layernorm_after",
        "norm": "layernorm",
        "classifier": "classifier",
    },
    images=True,
    pre_norm=True,
    pooler="",
)

LAYOUTS = {
    "bert": BERT,
    "camembert": ROBERTA,
    "data2vec-text": replace(ROBERTA, prefix="data2vec_text."),
    "distilbert": DISTILBERT,
    "electra": ELECTRA,
    "roberta": ROBERTA,
    "vit": VIT,
    "xlm-roberta": ROBERTA,
}
