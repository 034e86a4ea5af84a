"""What calibration sees of a model: ranges of everything that becomes an integer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hdp_hw.study.models import Encoder, softmax_attention

ROWS = 256  #: positions of all inputs together, of which a linear layer's input is kept
PAIRED = 4096  #: likewise, of which the products of its channels are summed up
SAMPLED = 4  #: inputs, the longest, of which Q, K and V are kept


class Ranges(Encoder):
    """An Encoder that computes some inputs, and remembers what it sees.

    inputs, outputs : ``{linear layer: largest magnitude of each channel}``; sums : ``{norm: largest magnitude that it
    reads}``; normals : ``{norm: largest magnitude of each channel behind it}``; rows : ``{linear layer: what it reads
    in a few positions, [n, channels]}``; products : ``{linear layer: sums of products of what it reads, [channels,
    channels]}``, without key and value, which read what query does; heads : ``{layer: Q, K and V of a few inputs,
    [n_heads, n, head_dim]}``.
    """

    def __init__(self, encoder: Encoder, inputs: Sequence[Any]) -> None:
        vars(self).update(vars(encoder))
        self.inputs: dict[str, np.ndarray] = {}
        self.outputs: dict[str, np.ndarray] = {}
        self.sums: dict[str, float] = {}
        self.normals: dict[str, np.ndarray] = {}
        self.rows: dict[str, np.ndarray] = {}
        self.products: dict[str, np.ndarray] = {}
        self.heads: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        lengths, rng = list(map(encoder.seq_len, inputs)), np.random.default_rng(0)
        sampled = np.argsort(lengths)[-SAMPLED:]
        for index, n in enumerate(lengths):
            places = rng.permutation(n)
            self._places, self._paired = (places[: max(1, round(n * of / sum(lengths)))] for of in (ROWS, PAIRED))
            self(inputs[index], self._keep_heads if index in sampled else None)

    def _keep_heads(self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.heads.setdefault(layer, []).append((q, k, v))
        return softmax_attention(layer, q, k, v)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        y, rows = super()._linear(name, x), x[self._places]
        self.inputs[name] = np.maximum(self.inputs.get(name, 0.0), _channels(x))
        self.outputs[name] = np.maximum(self.outputs.get(name, 0.0), _channels(y))
        self.rows[name] = np.concatenate([self.rows[name], rows]) if name in self.rows else rows
        if not name.endswith((".key", ".value")):
            paired = x[self._paired]
            self.products[name] = self.products.get(name, 0.0) + paired.T @ paired
        return y

    def _normalise(self, name: str, x: np.ndarray) -> np.ndarray:
        y = super()._normalise(name, x)
        self.sums[name] = max(self.sums.get(name, 0.0), float(np.abs(x).max()))
        self.normals[name] = np.maximum(self.normals.get(name, 0.0), _channels(y))
        return y


def _channels(x: np.ndarray) -> np.ndarray:
    """Largest magnitude of each channel of [..., channels]."""
    return np.abs(x.reshape(-1, x.shape[-1])).max(0).astype(np.float64)
