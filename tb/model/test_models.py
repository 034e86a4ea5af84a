"""The numpy models, on tiny random ones and, where the `models` extra is installed, on real ones:
hdp_hw/study/models/."""

import json
import math

import numpy as np
import pytest

from hdp_hw.golden import reference
from hdp_hw.study import capture
from hdp_hw.study.models import EXTRA, Encoder, Model, ModelError, find_model, load_model, softmax_attention
from hdp_hw.study.models.functions import gelu
from hdp_hw.study.models.tensors import tensor_names
from hdp_hw.study.passages import PASSAGES

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 12,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 9,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 15,
}
VIT = {name: CONFIG[name] for name in CONFIG if "_size" not in name and "positions" not in name} | {
    "model_type": "vit",
    "hidden_size": 12,
    "intermediate_size": 20,
    "image_size": 6,
    "patch_size": 2,
    "num_channels": 3,
}
TOKENS = [3, 1, 4, 1, 5]
VALUE_OF_LAYER_1 = "encoder.layer.1.attention.self.value.weight"


def random_tensors(config=CONFIG, n_labels=0):
    rng = np.random.default_rng(1)
    shapes = tensor_names(config, n_labels).values()
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes}


@pytest.fixture(scope="module")
def minilm():
    """The real model; the test is skipped where it is not installed."""
    try:
        return load_model(capture.MODEL)
    except ModelError as error:
        pytest.skip(str(error))


def exact_gelu(x):
    return np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)(x)


def multi_head(t, names, x):
    """Attention in float64, head by head."""
    q, k, v = (x @ t[f"{name}.weight"].T + t[f"{name}.bias"] for name in names)
    return np.concatenate([reference.attention(*(y[:, h : h + 4] for y in (q, k, v))) for h in (0, 4, 8)], 1)


def float64(tensors):
    """``(tensors, linear, norm)`` in float64."""
    t = {name: array.astype(np.float64) for name, array in tensors.items()}

    def linear(name, x):
        return x @ t[name + ".weight"].T + t[name + ".bias"]

    def norm(name, x):
        return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) * t[name + ".weight"] + t[name + ".bias"]

    return t, linear, norm


def reference_bert(tensors, tokens):
    """The tiny model again, in float64, element by element where the encoder works on whole arrays."""
    t, linear, norm = float64(tensors)
    words, positions, types = (t[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type"))
    x = np.stack([words[token] + positions[i] + types[0] for i, token in enumerate(tokens)])
    x = norm("embeddings.LayerNorm", x)
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        context = multi_head(t, [f"{name}attention.self.{part}" for part in ("query", "key", "value")], x)
        x = norm(name + "attention.output.LayerNorm", x + linear(name + "attention.output.dense", context))
        inner = exact_gelu(linear(name + "intermediate.dense", x))
        x = norm(name + "output.LayerNorm", x + linear(name + "output.dense", inner))
    return x


def reference_vit(tensors, image):
    """The tiny vision transformer, likewise: each patch by itself, row by row."""
    t, linear, norm = float64(tensors)
    weight = t["embeddings.patch_embeddings.projection.weight"]
    corners = [(row, column) for row in (0, 2, 4) for column in (0, 2, 4)]
    patches = [np.einsum("ocij,cij->o", weight, image[:, r : r + 2, c : c + 2]) for r, c in corners]
    x = np.stack(patches) + t["embeddings.patch_embeddings.projection.bias"]
    x = np.concatenate([t["embeddings.cls_token"][0], x]) + t["embeddings.position_embeddings"][0]
    for layer in range(VIT["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        before = norm(name + "layernorm_before", x)
        context = multi_head(t, [f"{name}attention.attention.{part}" for part in ("query", "key", "value")], before)
        x = x + linear(name + "attention.output.dense", context)
        inner = exact_gelu(linear(name + "intermediate.dense", norm(name + "layernorm_after", x)))
        x = x + linear(name + "output.dense", inner)
    return norm("layernorm", x)


def test_encoder_equals_a_plain_float64_bert():
    tensors = random_tensors()
    hidden = Encoder(CONFIG, tensors)(TOKENS)
    assert hidden.shape == (5, 12) and hidden.dtype == np.float32
    np.testing.assert_allclose(hidden, reference_bert(tensors, TOKENS), atol=2e-5)
    prefixed = Encoder(CONFIG, {f"bert.{name}": array for name, array in tensors.items()})
    np.testing.assert_array_equal(prefixed(TOKENS), hidden)


def test_encoder_equals_a_plain_float64_vit():
    tensors, images = random_tensors(VIT), np.random.default_rng(2).normal(size=(2, 3, 6, 6))
    hidden = Encoder(VIT, tensors)(images)
    assert hidden.shape == (2, 10, 12)
    np.testing.assert_allclose(hidden[1], reference_vit(tensors, images[1]), atol=5e-5)
    with pytest.raises(ValueError, match=r"images of shape \(3, 4, 6\); legal: \(3, 6, 6\)"):
        Encoder(VIT, tensors)(images[..., :4, :])


#: Names in another layout from those in BERT's.
DISTILBERT_NAMES = {
    "encoder.layer": "transformer.layer",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
    "pooler.dense": "pre_classifier",
}
DISTILBERT = {
    "model_type": "distilbert",
    "activation": "gelu",
    "dim": 12,
    "hidden_dim": 20,
    "max_position_embeddings": 9,
    "n_heads": 3,
    "n_layers": 2,
    "vocab_size": 15,
}


def renamed(tensors, names):
    for old, new in names.items():
        tensors = {name.replace(old, new): array for name, array in tensors.items()}
    return tensors


def test_distilbert_is_bert_without_token_types():
    tensors = random_tensors(n_labels=2)
    tensors["embeddings.token_type_embeddings.weight"][:] = 0
    bert, hidden = Encoder(CONFIG, tensors), Encoder(CONFIG, tensors)(TOKENS)
    del tensors["embeddings.token_type_embeddings.weight"]
    distilled = Encoder(DISTILBERT, {f"distilbert.{x}": y for x, y in renamed(tensors, DISTILBERT_NAMES).items()})
    np.testing.assert_array_equal(distilled(TOKENS), hidden)
    first = np.maximum(hidden[0] @ tensors["pooler.dense.weight"].T + tensors["pooler.dense.bias"], 0)
    logits = first @ tensors["classifier.weight"].T + tensors["classifier.bias"]
    np.testing.assert_allclose(distilled.classify(hidden[0]), logits, atol=1e-5)
    assert not np.allclose(bert.classify(hidden[0]), logits, atol=1e-3)  # tanh


@pytest.mark.parametrize("padding", [{}, {"pad_token_id": 1}, {"pad_token_id": 3}])
def test_roberta_counts_positions_from_behind_the_padding(padding):
    tensors = random_tensors(n_labels=3)
    bert = Encoder(CONFIG, tensors)
    hidden = bert(TOKENS)
    offset = padding.get("pad_token_id", 1) + 1
    positions = tensors["embeddings.position_embeddings.weight"]
    tensors["embeddings.position_embeddings.weight"] = np.concatenate([positions[:offset] + 9, positions])
    config = CONFIG | padding | {"model_type": "roberta", "max_position_embeddings": 9 + offset}
    names = {"classifier": "classifier.out_proj", "pooler.dense": "classifier.dense"}
    roberta = Encoder(config, renamed(tensors, names))
    np.testing.assert_array_equal(roberta(TOKENS), hidden)
    np.testing.assert_array_equal(roberta.classify(hidden[0]), bert.classify(hidden[0]))
    assert roberta.max_seq_len == 9 and roberta.n_labels == 3


def tiny_model(config=CONFIG, n_labels=0):
    encoder = Encoder(config, random_tensors(config, n_labels))
    return Model("tiny", encoder, lambda tokens, max_tokens: tokens[:max_tokens], list, tuple("abc"[:n_labels]))


def test_embedding_is_the_mean_hidden_state_of_length_1():
    tiny = tiny_model()
    (embedding,) = tiny.run([TOKENS])
    assert reference.cosine(embedding, tiny.encoder(TOKENS).mean(0)) == pytest.approx(1)
    assert np.linalg.norm(embedding) == pytest.approx(1)


@pytest.mark.parametrize("n_labels", [0, 3])
@pytest.mark.parametrize("jobs", [1, 2])
def test_batches_are_the_inputs_one_by_one(n_labels, jobs):
    """In their order, equal lengths at once, and nothing padded."""
    tiny, rng, done, lengths = tiny_model(n_labels=n_labels), np.random.default_rng(4), [], []
    inputs = [rng.integers(0, 15, n).tolist() for n in rng.integers(1, 10, 200)] * 3

    def attention(layer, q, k, v):
        lengths.append((q.shape[0], q.shape[2]))
        return softmax_attention(layer, q, k, v)

    outputs = tiny.run(inputs, attention, jobs, done.append)
    alone = np.stack([tiny.outputs(tiny.encoder(tokens)) for tokens in inputs])
    np.testing.assert_allclose(outputs, alone, rtol=1e-5, atol=1e-5)
    assert done[-1] == 600 and max(batch for batch, _ in lengths) > 30
    assert sum(batch * n for batch, n in lengths) == 2 * sum(map(len, inputs))


def test_stateful_attention_gets_one_input_at_a_time():
    class Recorder:
        seen, alive = [], np.array([True, False, True])

        def begin(self, *arguments):
            self.seen.append(arguments)

        def __call__(self, layer, q, k, v):
            self.seen.append((layer, q.shape))
            return v

    tiny = tiny_model()
    outputs = tiny.run([[1, 2, 3], [4, 5, 6]], Recorder())
    layers = [(layer, (3, 3, 4)) for layer in (0, 1)]
    assert Recorder.seen == [(2, 3, [1, 2, 3]), *layers, (2, 3, [4, 5, 6]), *layers]
    hidden = tiny.encoder([4, 5, 6], lambda layer, q, k, v: v)
    assert reference.cosine(outputs[1], hidden[0] + hidden[2]) == pytest.approx(1)


def test_attention_is_replaceable():
    tiny = Encoder(CONFIG, random_tensors())
    seen = []

    def attention(layer, q, k, v):
        seen.append((layer, q.shape, k.shape, v.shape))
        return np.zeros_like(v)

    assert not np.array_equal(tiny(TOKENS, attention), tiny(TOKENS))
    assert seen == [(layer, *3 * [(3, 5, 4)]) for layer in (0, 1)]


def test_gelu():
    x = np.linspace(-8, 8, 4001, dtype=np.float32)
    exact = [z * (1 + math.erf(z / math.sqrt(2))) / 2 for z in x.astype(float)]
    np.testing.assert_allclose(gelu(x), exact, atol=1e-6)


def test_bad_tensors_are_all_named():
    tensors = random_tensors()
    del tensors["embeddings.LayerNorm.bias"], tensors["encoder.layer.0.output.dense.weight"]
    tensors[VALUE_OF_LAYER_1] = np.zeros((12, 11), np.float32)
    with pytest.raises(ModelError) as error:
        Encoder(CONFIG, tensors)
    assert str(error.value) == (
        "tensors do not fit config.json: embeddings.LayerNorm.bias is missing; "
        "encoder.layer.0.output.dense.weight is missing; " + VALUE_OF_LAYER_1 + " has shape (12, 11), not (12, 12)"
    )


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"num_attention_heads": 5},
            "config.json: hidden_size = 12 is not legal; legal: a multiple of num_attention_heads = 5",
        ),
        ({"vocab_size": None}, "config.json: vocab_size is missing"),
    ],
)
def test_bad_configs(change, message):
    config = {name: value for name, value in (CONFIG | change).items() if value is not None}
    with pytest.raises(ModelError) as error:
        Encoder(config, random_tensors())
    assert str(error.value) == message


@pytest.mark.parametrize("n", [0, 10])
def test_too_few_or_many_tokens(n):
    with pytest.raises(ValueError, match=f"{n} tokens; legal: 1 to 9"):
        Encoder(CONFIG, random_tensors())([1] * n)


def test_one_output_is_a_regression():
    encoder = Encoder(CONFIG | {"problem_type": "regression"}, random_tensors(n_labels=1))
    assert encoder.n_labels == 1 and encoder.classify(encoder(TOKENS)[0]).shape == (1,)


def test_classifier_must_fit_its_labels():
    labels = {"id2label": {"0": "no", "1": "yes"}}
    with pytest.raises(ModelError, match=r'id2label has the keys .*; legal: the keys "0" to "2", one for each output'):
        Encoder(CONFIG | labels, random_tensors(n_labels=3))


def test_old_names_of_normalisations():
    tensors = random_tensors()
    old = renamed(tensors, {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"})
    np.testing.assert_array_equal(Encoder(CONFIG, old)(TOKENS), Encoder(CONFIG, tensors)(TOKENS))


# -- on disk ----------------------------------------------------------------------------------------------------------
def write_tokenizer(path):
    """Numbers are tokens."""
    models = pytest.importorskip("tokenizers.models", reason=EXTRA)
    tokenizers = pytest.importorskip("tokenizers", reason=EXTRA)
    tokenizer = tokenizers.Tokenizer(models.WordLevel({str(i): i for i in range(15)}, unk_token="0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(path))


def test_load_model(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy", reason=EXTRA).save_file
    tensors, text = random_tensors(n_labels=2), " ".join(map(str, TOKENS))
    for name, write in (
        ("config.json", lambda path: path.write_text(json.dumps(CONFIG | {"id2label": {"0": "no", "1": "yes"}}))),
        ("model.safetensors", lambda path: save_file(tensors, path)),
        ("tokenizer.json", write_tokenizer),
    ):
        with pytest.raises(ModelError, match=f"{name} is missing"):
            load_model(str(tmp_path))
        write(tmp_path / name)
    assert find_model(str(tmp_path)) == tmp_path
    model = load_model(str(tmp_path))
    assert model.labels == ("no", "yes") and model.read([text], 3) == [TOKENS[:3]]
    assert model.names(TOKENS) == [str(token) for token in TOKENS]
    encoder = Encoder(CONFIG, tensors)
    np.testing.assert_array_equal(model.run(model.read([text]))[0], encoder.classify(encoder(TOKENS)[0]))
    del tensors[VALUE_OF_LAYER_1]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=f"{tmp_path}: tensors do not fit config.json: {VALUE_OF_LAYER_1} is missing"):
        load_model(str(tmp_path))


def test_images_are_scaled_as_the_folder_says(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy", reason=EXTRA).save_file
    save_file(random_tensors(VIT, 3), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(VIT))
    scaling = {"rescale_factor": 0.25, "image_mean": [1, 2, 3], "image_std": [2, 2, 4]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(scaling))
    model = load_model(str(tmp_path))
    (image,) = model.read([np.full((3, 6, 6), 20)])
    assert [channel.tolist() for channel in image] == [[[x] * 6] * 6 for x in (2.0, 1.5, 0.5)]
    assert model.names(image) == ["[CLS]", "0,0", "0,1", "0,2", "1,0", "1,1", "1,2", "2,0", "2,1", "2,2"]
    assert model.labels == ("LABEL_0", "LABEL_1", "LABEL_2") and model.run([image] * 3).shape == (3, 3)


@pytest.mark.parametrize("name", ["no-such-model", "numpy", "no/such/folder"])
def test_find_model_refuses(name):
    with pytest.raises(
        ModelError, match=r"neither a directory nor an installed package with a model\.safetensors, nor"
    ):
        find_model(name)


def test_real_model_tells_similar_sentences_from_others(minilm):
    texts = ("A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell sharply.")
    guitar, same, other = minilm.run(minilm.read(texts))
    assert guitar @ same > 0.8 and abs(guitar @ other) < 0.15


def test_passages_have_the_tokens_they_say(minilm):
    for n, text in PASSAGES.values():
        assert len(minilm.read([text], n)[0]) == n
