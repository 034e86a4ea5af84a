"""Encoders of the BERT family and plain vision transformers, whose attention can be replaced."""

import numpy as np

from hdp_hw.spec.failure import Failure
from hdp_hw.study.models.functions import gelu, normalise, softmax
from hdp_hw.study.models.layouts import LAYOUTS

_TABLES = ("words", "types")  #: modules without a bias
_BARE = ("class_token", "positions")  #: of images: modules that are a tensor
POOLERS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0)}


class ModelError(Failure, ValueError):
    """A model that cannot be run; the message names the file, setting or tensors at fault."""


class Encoder:
    """A transformer encoder without padding: all inputs of a batch have one length.

    Parameters
    ----------
    config : dict
        The contents of ``config.json``; ``model_type`` says how the tensors are called: a key of
        :data:`hdp_hw.study.models.layouts.LAYOUTS`.
    tensors : dict
        ``{name: array}``, named as in a checkpoint, with or without the model's prefix (``bert.`` for example).

    Raises
    ------
    ModelError
        Names a setting that is missing or not supported, or every tensor that is missing or misshapen.
    """

    def __init__(self, config, tensors):
        self.layout, sizes = read_config(config)
        tensors = {_plain(name, self.layout.prefix): array for name, array in tensors.items()}
        self.n_labels = _labels(config, tensors, self.layout)
        names = tensor_names(config, self.n_labels)
        _check(tensors, dict(names.values()))
        self.tensors = {own: np.asarray(tensors[name], np.float32) for own, (name, _) in names.items()}
        self.n_layers, self.n_heads, self.hidden_size = (sizes[x] for x in ("n_layers", "n_heads", "hidden_size"))
        self.epsilon, self.first_position = sizes["epsilon"], sizes.get("first_position", 0)
        self.patch_size = sizes.get("patch_size")
        self.max_seq_len = self.tensors["positions.weight"].shape[-2] - self.first_position

    @property
    def head_dim(self):
        """Elements of one head's row."""
        return self.hidden_size // self.n_heads

    def seq_len(self, example):
        """Positions that an input takes."""
        return self.max_seq_len if self.layout.images else len(example)

    def __call__(self, inputs, attention=None):
        """Hidden states [..., seq_len, hidden_size] of token ids [..., seq_len] or images [..., channels, edge, edge].

        attention : ``f(layer, q, k, v) -> context``, all [..., n_heads, seq_len, head_dim]; :func:`softmax_attention`
            unless given. Layers call it in order.
        """
        attention, inputs = attention or softmax_attention, np.asarray(inputs)
        x = self._embed_images(inputs) if self.layout.images else self._embed_tokens(inputs)
        for layer in range(self.n_layers):
            x = self._layer(layer, x, attention)
        return self._normalise("norm", x) if self.layout.pre_norm else x

    def classify(self, first):
        """Logits [..., n_labels] of the first position's hidden states [..., hidden_size]."""
        if self.layout.pooler:
            first = POOLERS[self.layout.pooler](self._linear("pooler", first))
        return self._linear("classifier", first)

    # -- embeddings -----------------------------------------------------------------------------------------------
    def _embed_tokens(self, tokens):
        n = tokens.shape[-1]
        if not 1 <= n <= self.max_seq_len:
            raise ValueError(f"{n} tokens; legal: 1 to {self.max_seq_len}")
        x = self.tensors["words.weight"][tokens] + self.tensors["positions.weight"][self.first_position :][:n]
        if "types.weight" in self.tensors:
            x = x + self.tensors["types.weight"][0]
        return self._normalise("norm", x)

    def _embed_images(self, images):
        *batch, channels, height, width = images.shape
        p, weight = self.patch_size, self.tensors["patches.weight"]
        legal = (weight.shape[1], *(round((self.max_seq_len - 1) ** 0.5) * p,) * 2)
        if (channels, height, width) != legal:
            raise ValueError(f"images of shape {(channels, height, width)}; legal: {legal}")
        patches = images.astype(np.float32).reshape(*batch, channels, height // p, p, width // p, p)
        patches = np.moveaxis(patches, (-4, -2), (-5, -4)).reshape(*batch, self.max_seq_len - 1, -1)
        x = patches @ weight.reshape(len(weight), -1).T + self.tensors["patches.bias"]
        first = np.broadcast_to(self.tensors["class_token.weight"][0], (*batch, 1, self.hidden_size))
        return np.concatenate([first, x], -2) + self.tensors["positions.weight"][0]

    # -- layers ---------------------------------------------------------------------------------------------------
    def _layer(self, layer, x, attention):
        norms = f"{layer}.context_norm", f"{layer}.outer_norm"
        if self.layout.pre_norm:
            x = x + self._attend(layer, self._normalise(norms[0], x), attention)
            return x + self._inner(layer, self._normalise(norms[1], x))
        x = self._normalise(norms[0], x + self._attend(layer, x, attention))
        return self._normalise(norms[1], x + self._inner(layer, x))

    def _attend(self, layer, x, attention):
        q, k, v = (self._split(self._linear(f"{layer}.{part}", x)) for part in ("query", "key", "value"))
        context = np.asarray(attention(layer, q, k, v), np.float32)
        return self._linear(f"{layer}.context", context.swapaxes(-3, -2).reshape(x.shape))

    def _inner(self, layer, x):
        return self._linear(f"{layer}.outer", gelu(self._linear(f"{layer}.inner", x)))

    def _linear(self, name, x):
        y = x.reshape(-1, x.shape[-1]) @ self.tensors[f"{name}.weight"].T
        y += self.tensors[f"{name}.bias"]
        return y.reshape(*x.shape[:-1], -1)

    def _normalise(self, name, x):
        return normalise(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], self.epsilon)

    def _split(self, x):
        return x.reshape(*x.shape[:-1], self.n_heads, self.head_dim).swapaxes(-3, -2)


def softmax_attention(layer, q, k, v):
    """softmax(QK^T / sqrt(d)) V of every head in float32: [..., n_heads, seq_len, head_dim] -> the same."""
    return softmax(q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))) @ v


# -- checkpoints ------------------------------------------------------------------------------------------------------
def read_config(config):
    """``(Layout, {setting: value})`` of a config.json. Raises ModelError."""
    kind = _setting(config, "model_type")
    if kind not in LAYOUTS:
        raise ModelError(f"config.json: model_type = {kind!r} is not supported; supported: {', '.join(LAYOUTS)}")
    layout = LAYOUTS[kind]
    sizes = {own: _setting(config, name) for own, name in layout.settings.items()} | layout.fixed
    if sizes["activation"] != "gelu":
        name = layout.settings["activation"]
        raise ModelError(f"config.json: {name} = {config[name]!r} is not supported; supported: 'gelu'")
    for part, whole in (("n_heads", "hidden_size"), ("patch_size", "image_size")):
        if part in sizes and sizes[whole] % sizes[part]:
            name, of = layout.settings[whole], layout.settings[part]
            raise ModelError(
                f"config.json: {name} = {sizes[whole]} is not legal; legal: a multiple of {of} = {sizes[part]}"
            )
    if "pad_token_id" in config and sizes.get("first_position"):
        sizes["first_position"] = config["pad_token_id"] + 1
    return layout, sizes


def tensor_names(config, n_labels=0):
    """``{tensor: (name in the checkpoint, shape)}`` of what a model needs; ``n_labels`` of its classifier, 0: none."""
    layout, sizes = read_config(config)
    hidden, inner = sizes["hidden_size"], sizes["inner_size"]
    shapes = dict.fromkeys(("query", "key", "value", "context", "pooler"), (hidden, hidden))
    shapes |= {"inner": (inner, hidden), "outer": (hidden, inner), "classifier": (n_labels, hidden)}
    shapes |= dict.fromkeys(("norm", "context_norm", "outer_norm"), (hidden,))
    if layout.images:
        patch, n = sizes["patch_size"], (sizes["image_size"] // sizes["patch_size"]) ** 2 + 1
        shapes |= {"patches": (hidden, sizes["channels"], patch, patch), "positions": (1, n, hidden)}
        shapes |= {"class_token": (1, 1, hidden)}
    else:
        shapes |= {"words": (sizes["vocabulary"], hidden), "positions": (sizes["positions"], hidden)}
        shapes |= {"types": (sizes.get("types"), hidden)}
    tensors = {}
    for module, name in layout.modules.items():
        if module in ("pooler", "classifier") and not n_labels:
            continue
        for layer in range(sizes["n_layers"]) if "{}" in name else [None]:
            own, full = (module, name) if layer is None else (f"{layer}.{module}", name.format(layer))
            bare = layout.images and module in _BARE
            tensors[f"{own}.weight"] = (full if bare else f"{full}.weight", shapes[module])
            if not bare and module not in (*_TABLES, "positions"):
                tensors[f"{own}.bias"] = (f"{full}.bias", shapes[module][:1])
    return tensors


def _plain(name, prefix):
    """A tensor's name without the model's prefix, and with the present names of normalisations."""
    name = name.removeprefix(prefix)
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _labels(config, tensors, layout):
    """Number of labels of the classifier, 0 without one."""
    weight = tensors.get(f"{layout.modules['classifier']}.weight")
    if weight is None:
        return 0
    n_labels = len(config.get("id2label", ())) or len(weight)
    if n_labels < 2:
        raise ModelError("config.json: id2label has 1 label; legal: at least 2, since regression is not supported")
    return n_labels


def _setting(config, name):
    if name not in config:
        raise ModelError(f"config.json: {name} is missing")
    return config[name]


def _check(tensors, shapes):
    wrong = [f"{name} is missing" for name in shapes if name not in tensors]
    wrong += [
        f"{name} has shape {tensors[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if wrong:
        raise ModelError("tensors do not fit config.json: " + "; ".join(wrong))
