"""Encoders of the BERT family and plain vision transformers, whose attention can be replaced."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hdp_hw.study.models.config import labels_of, read_config
from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.models.functions import ACTIVATIONS, gelu, normalise, softmax
from hdp_hw.study.models.tensors import fit

Attention = Callable[[int, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
POOLERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "relu": ACTIVATIONS["relu"], "gelu": gelu}


class Encoder:
    """A transformer encoder without padding: all inputs of a batch have one length.

    Parameters
    ----------
    config : dict
        The contents of ``config.json``; ``model_type`` says how the tensors are called: a key of
        :data:`hdp_hw.study.models.layouts.LAYOUTS`.
    tensors : dict
        ``{name: array}``, named as in a checkpoint, with or without a prefix (``bert.`` or ``module.`` for example).
    source : str
        The file of the tensors, for messages.

    Raises
    ------
    ModelError
        Names a setting that is missing or not supported, or the tensors that are missing, misshapen or not computed.
    """

    def __init__(
        self, config: dict[str, Any], tensors: Mapping[str, np.ndarray], source: str = "model.safetensors"
    ) -> None:
        self._open(config, *fit(config, tensors, source))

    def _open(self, config: dict[str, Any], tensors: dict[str, np.ndarray], n_labels: int) -> None:
        """Set what :func:`hdp_hw.study.models.tensors.fit` found; raises ModelError."""
        self.config = config
        self.layout, sizes = read_config(config)
        self.tensors, self.n_labels = tensors, n_labels
        self.labels = labels_of(config, self.n_labels) if self.n_labels else ()
        self.n_layers, self.n_heads, self.hidden_size = (sizes[x] for x in ("n_layers", "n_heads", "hidden_size"))
        self.epsilon, self.first_position = sizes["epsilon"], sizes.get("first_position", 0)
        self.activation = ACTIVATIONS[sizes["activation"]]
        self.patch_size, edge = sizes.get("patch_size", 0), sizes.get("image_size", 0)
        self.image_shape = sizes.get("channels", 0), edge, edge
        self.n_tokens, self.n_types = sizes.get("vocabulary", 0), max(1, len(self.tensors.get("types.weight", ())))
        self.max_seq_len = self.tensors["positions.weight"].shape[-2] - self.first_position

    @property
    def head_dim(self) -> int:
        """Elements of one head's row."""
        return self.hidden_size // self.n_heads

    @property
    def inner_size(self) -> int:
        """Elements of a position inside the feed-forward network."""
        return len(self.tensors["0.inner.weight"])

    def seq_len(self, example: Any) -> int:
        """Positions that an input takes."""
        return self.max_seq_len if self.layout.images else len(example)

    def __call__(self, inputs: Any, attention: Attention | None = None) -> np.ndarray:
        """Hidden states [..., seq_len, hidden_size] of token ids [..., seq_len] or images [..., channels, edge, edge].

        A token of type t, as in the second text of a pair, is t * n_tokens above its id.

        attention : ``f(layer, q, k, v) -> context``, all [..., n_heads, seq_len, head_dim]; :func:`softmax_attention`
            unless given. Layers call it in order.
        """
        attention = attention or softmax_attention
        x = self.embed(inputs)
        if not self.layout.pre_norm:
            x = self._normalise("norm", x)
        for layer in range(self.n_layers):
            x = self._layer(layer, x, attention)
        return self._normalise("norm", x) if self.layout.pre_norm else x

    def embed(self, inputs: Any) -> np.ndarray:
        """Sums of the embeddings of ``inputs``, [..., seq_len, hidden_size], before any normalisation."""
        return (self._embed_images if self.layout.images else self._embed_tokens)(np.asarray(inputs))

    def classify(self, first: np.ndarray) -> np.ndarray:
        """Logits [..., n_labels] of the first position's hidden states [..., hidden_size]."""
        if self.layout.pooler:
            first = POOLERS[self.layout.pooler](self._linear("pooler", first))
        return self._linear("classifier", first)

    # -- embeddings -----------------------------------------------------------------------------------------------
    def _embed_tokens(self, tokens: np.ndarray) -> np.ndarray:
        n = tokens.shape[-1]
        if not 1 <= n <= self.max_seq_len:
            raise ModelError(f"{n} tokens; legal: 1 to {self.max_seq_len}")
        types, words = np.divmod(tokens, self.n_tokens)
        x = self.tensors["words.weight"][words] + self.tensors["positions.weight"][self.first_position :][:n]
        if "types.weight" in self.tensors:
            x = x + self.tensors["types.weight"][types]
        return x

    def _embed_images(self, images: np.ndarray) -> np.ndarray:
        if images.shape[-3:] != self.image_shape:
            raise ModelError(f"images of shape {images.shape[-3:]}; legal: {self.image_shape}")
        *batch, channels, height, width = images.shape
        p, weight = self.patch_size, self.tensors["patches.weight"]
        patches = images.astype(np.float32).reshape(*batch, channels, height // p, p, width // p, p)
        patches = np.moveaxis(patches, (-4, -2), (-5, -4)).reshape(*batch, self.max_seq_len - 1, -1)
        x = patches @ weight.reshape(len(weight), -1).T + self.tensors["patches.bias"]
        first = np.broadcast_to(self.tensors["class_token.weight"][0], (*batch, 1, self.hidden_size))
        return np.concatenate([first, x], -2) + self.tensors["positions.weight"][0]

    # -- layers ---------------------------------------------------------------------------------------------------
    def _layer(self, layer: int, x: np.ndarray, attention: Attention) -> np.ndarray:
        norms = f"{layer}.context_norm", f"{layer}.outer_norm"
        if self.layout.pre_norm:
            x = x + self._attend(layer, self._normalise(norms[0], x), attention)
            return x + self._inner(layer, self._normalise(norms[1], x))
        x = self._normalise(norms[0], x + self._attend(layer, x, attention))
        return self._normalise(norms[1], x + self._inner(layer, x))

    def _attend(self, layer: int, x: np.ndarray, attention: Attention) -> np.ndarray:
        q, k, v = (self._split(self._linear(f"{layer}.{part}", x)) for part in ("query", "key", "value"))
        context = np.asarray(attention(layer, q, k, v), np.float32)
        return self._linear(f"{layer}.context", context.swapaxes(-3, -2).reshape(x.shape))

    def _inner(self, layer: int, x: np.ndarray) -> np.ndarray:
        return self._linear(f"{layer}.outer", self.activation(self._linear(f"{layer}.inner", x)))

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        y = x.reshape(-1, x.shape[-1]) @ self.tensors[f"{name}.weight"].T
        y += self.tensors[f"{name}.bias"]
        return y.reshape(*x.shape[:-1], -1)

    def _normalise(self, name: str, x: np.ndarray) -> np.ndarray:
        return normalise(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"], self.epsilon)

    def _split(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], self.n_heads, self.head_dim).swapaxes(-3, -2)


def softmax_attention(layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """softmax(QK^T / sqrt(d)) V of every head in float32: [..., n_heads, seq_len, head_dim] -> the same."""
    return softmax(q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))) @ v
