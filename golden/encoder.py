"""A BERT encoder in float32 numpy, whose attention can be replaced: by a recorder, or by the golden model.

A model is a directory with ``config.json``, ``model.safetensors`` and ``tokenizer.json``, as Hugging Face writes them.
Reading one takes the ``models`` extra (safetensors, tokenizers); the encoder itself takes only numpy.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np

EXTRA = "the `models` extra is not installed"
_QKV = ("query", "key", "value")


class ModelError(ValueError):
    """A model that cannot be run; the message names the file, setting or tensors at fault."""


class Encoder:
    """BERT with post-layer normalisation and learned absolute positions, one text at a time, so without padding.

    Parameters
    ----------
    config : dict
        The contents of ``config.json``.
    tensors : dict
        ``{name: array}``, named as in a BertModel checkpoint, with or without a leading ``bert.``.

    Raises
    ------
    ModelError
        Names a setting that is missing or not supported, or every tensor that is missing or misshapen.
    """

    def __init__(self, config, tensors):
        self.n_layers = _setting(config, "num_hidden_layers")
        self.n_heads = _setting(config, "num_attention_heads")
        self.hidden_size = _setting(config, "hidden_size")
        self.max_seq_len = _setting(config, "max_position_embeddings")
        self.epsilon = _setting(config, "layer_norm_eps")
        for name, supported in (("model_type", "bert"), ("hidden_act", "gelu")):
            if _setting(config, name) != supported:
                raise ModelError(f"config.json: {name} = {config[name]!r} is not supported; supported: {supported!r}")
        if self.hidden_size % self.n_heads:
            legal = f"a multiple of num_attention_heads = {self.n_heads}"
            raise ModelError(f"config.json: hidden_size = {self.hidden_size} is not legal; legal: {legal}")
        tensors = {name.removeprefix("bert."): array for name, array in tensors.items()}
        shapes = tensor_shapes(config)
        _check(tensors, shapes)
        self.tensors = {name: np.asarray(tensors[name], np.float32) for name in shapes}

    @property
    def head_dim(self):
        """Elements of one head's row."""
        return self.hidden_size // self.n_heads

    def __call__(self, tokens, attention=None):
        """Hidden states [seq_len, hidden_size] of the token ids [seq_len].

        attention : ``f(layer, q, k, v) -> context``, all [n_heads, seq_len, head_dim]; :func:`softmax_attention`
            unless given.
        """
        if not 1 <= len(tokens) <= self.max_seq_len:
            raise ValueError(f"{len(tokens)} tokens; legal: 1 to {self.max_seq_len}")
        attention = attention or softmax_attention
        words = self.tensors["embeddings.word_embeddings.weight"][np.asarray(tokens)]
        positions = self.tensors["embeddings.position_embeddings.weight"][: len(tokens)]
        x = words + positions + self.tensors["embeddings.token_type_embeddings.weight"][0]
        x = self._normalise("embeddings", x)
        for layer in range(self.n_layers):
            name = f"encoder.layer.{layer}"
            q, k, v = (self._split(self._linear(f"{name}.attention.self.{part}", x)) for part in _QKV)
            context = self._join(attention(layer, q, k, v))
            x = self._normalise(f"{name}.attention.output", x + self._linear(f"{name}.attention.output.dense", context))
            inner = gelu(self._linear(f"{name}.intermediate.dense", x))
            x = self._normalise(f"{name}.output", x + self._linear(f"{name}.output.dense", inner))
        return x

    def embed(self, tokens, attention=None):
        """Sentence embedding [hidden_size]: the mean hidden state, scaled to length 1."""
        mean = self(tokens, attention).mean(0)
        return mean / np.linalg.norm(mean)

    def _linear(self, name, x):
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def _normalise(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(self.epsilon))
        return centred / scale * self.tensors[f"{name}.LayerNorm.weight"] + self.tensors[f"{name}.LayerNorm.bias"]

    def _split(self, x):
        return x.reshape(len(x), self.n_heads, self.head_dim).swapaxes(0, 1)

    def _join(self, heads):
        return np.asarray(heads, np.float32).swapaxes(0, 1).reshape(-1, self.hidden_size)


def softmax_attention(layer, q, k, v):
    """softmax(QK^T / sqrt(d)) V of every head in float32: [n_heads, seq_len, head_dim] -> the same."""
    s = q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True) @ v


def gelu(x):
    """x * Phi(x), with erf after Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = (tail + np.float32(coefficient)) * t
    tail *= np.exp(-z * z) / 2  # 1 - Phi(|x|)
    return x * np.where(x >= 0, 1 - tail, tail)


def tensor_shapes(config):
    """``{name: shape}`` of the tensors that an encoder of this ``config`` needs."""
    hidden, inner = _setting(config, "hidden_size"), _setting(config, "intermediate_size")
    shapes = {
        "embeddings.word_embeddings.weight": (_setting(config, "vocab_size"), hidden),
        "embeddings.position_embeddings.weight": (_setting(config, "max_position_embeddings"), hidden),
        "embeddings.token_type_embeddings.weight": (_setting(config, "type_vocab_size"), hidden),
    }
    norms, linears = ["embeddings"], {}
    for layer in range(_setting(config, "num_hidden_layers")):
        name = f"encoder.layer.{layer}"
        norms += [f"{name}.attention.output", f"{name}.output"]
        linears |= {f"{name}.attention.self.{part}": (hidden, hidden) for part in _QKV}
        linears[f"{name}.attention.output.dense"] = (hidden, hidden)
        linears[f"{name}.intermediate.dense"] = (inner, hidden)
        linears[f"{name}.output.dense"] = (hidden, inner)
    for name in norms:
        shapes[f"{name}.LayerNorm.weight"] = shapes[f"{name}.LayerNorm.bias"] = (hidden,)
    for name, shape in linears.items():
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]
    return shapes


def find_model(name):
    """Directory of the model ``name``: a directory, or an installed package that holds one. Raises ModelError."""
    directory = Path(name)
    if directory.is_dir():
        return directory
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None  # looks, and does not import
    for root in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(root).rglob("model.safetensors")):
            return file.parent
    raise ModelError(f"model {name!r} is neither a directory nor an installed package with a model.safetensors")


def load_encoder(directory):
    """The Encoder of a model directory. Raises ModelError."""
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise ModelError(f"safetensors cannot be imported: {EXTRA}") from None
    config = json.loads(_file(directory, "config.json").read_text())
    try:
        return Encoder(config, load_file(_file(directory, "model.safetensors")))
    except ModelError as error:
        raise ModelError(f"{directory}: {error}") from None


def load_tokenizer(directory):
    """``f(text, max_tokens) -> token ids`` of a model directory, with the special tokens at both ends."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ModelError(f"tokenizers cannot be imported: {EXTRA}") from None
    tokenizer = Tokenizer.from_file(str(_file(directory, "tokenizer.json")))
    tokenizer.no_padding()

    def tokenize(text, max_tokens):
        tokenizer.enable_truncation(max_tokens)
        return tokenizer.encode(text).ids

    return tokenize


def _setting(config, name):
    if name not in config:
        raise ModelError(f"config.json: {name} is missing")
    return config[name]


def _file(directory, name):
    path = Path(directory) / name
    if not path.is_file():
        raise ModelError(f"{path} is missing")
    return path


def _check(tensors, shapes):
    wrong = [f"{name} is missing" for name in shapes if name not in tensors]
    wrong += [
        f"{name} has shape {tensors[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if wrong:
        raise ModelError("tensors do not fit config.json: " + "; ".join(wrong))
