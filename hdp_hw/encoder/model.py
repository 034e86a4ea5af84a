"""A whole encoder in integers, from the words of its embeddings to those of its hidden states."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.encoder.jobs import Linear, Norm
from hdp_hw.golden.bits.core.attention_core import HeadResults, attend_many
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule

Observe = Callable[[int, Sequence[HeadSettings], HeadResults], None]
ELEMENTS = 1 << 18  #: scores that are worked on at a time, so that they stay in the cache


def unobserved(layer: int, settings: Sequence[HeadSettings], results: HeadResults) -> None:
    """Take no notice of a layer's heads."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Jobs of a layer, in their order. Each norm reads the residual and the words of the linear layer before it.

    query, key, value : to operands, in the scale of each head; attention : thresholds, and the scales of Q and K.
    """

    query: Linear
    key: Linear
    value: Linear
    attention: LayerSettings
    context: Linear
    context_norm: Norm
    inner: Linear
    outer: Linear
    outer_norm: Norm

    @cached_property
    def projections(self) -> Linear:
        """Query, key and value as one linear layer."""
        return Linear.together(self.query, self.key, self.value)

    @cached_property
    def key_value(self) -> Linear:
        """Key and value likewise."""
        return Linear.together(self.key, self.value)


@dataclass(frozen=True, eq=False)
class IntegerModel:
    """Jobs of a model.

    entry : the first norm, of the embeddings. Where layers normalise first, it is the first layer's, and each layer's
    ``outer_norm`` is that of the layer behind it, or the model's last. n_heads : of each layer.
    first_only : nothing but the first row of the hidden states is read.
    embedding_unit, hidden_unit : real numbers per LSB of the words that enter and leave.
    """

    entry: Norm
    layers: Sequence[Layer]
    n_heads: int
    first_only: bool
    embedding_unit: float
    hidden_unit: float

    def __call__(self, embeddings: np.ndarray, params: HdpParams, observe: Observe = unobserved) -> np.ndarray:
        """Words of hidden states [batch, n, hidden_size] of words of embeddings, likewise; of the first row alone,
        [batch, 1, hidden_size], with ``first_only``. Rows of the last layer that nobody reads are not computed.

        observe : ``observe(layer, settings, results)`` after each layer's attention: HeadSettings of each head, and
        :class:`golden.bits.core.attention_core.HeadResults` [batch, n_heads]. Raises ParameterError.
        """
        residual, x = self.entry(embeddings)
        for number, layer in enumerate(self.layers):
            rows = slice(0, 1) if self.first_only and number == len(self.layers) - 1 else slice(None)
            q, k, v = self._operands(layer, x, rows)
            sizes = self.n_heads, self.n_heads, q.shape[2], k.shape[2], q.shape[3]
            settings = layer.attention.head_settings(*sizes, params)
            context = _attend(q, k, v, settings, params, partial(observe, number))
            context = context[:, :, rows].swapaxes(1, 2).reshape(len(x), -1, layer.context.weight.shape[1])
            residual, x = layer.context_norm(residual[:, rows], layer.context(context))
            residual, x = layer.outer_norm(residual, layer.outer(layer.inner(x)))
        return residual

    def _operands(self, layer: Layer, x: np.ndarray, rows: slice) -> list[np.ndarray]:
        """Q, K, V [batch, n_heads, n, head_dim] of a layer.

        A layer that prunes decides by blocks of queries and by the mean of a head, so it takes all queries.
        """
        if rows == slice(None) or layer.attention.rule != Rule.DENSE:
            parts = np.split(layer.projections(x), 3, -1)
        else:
            parts = [layer.query(x[:, rows]), *np.split(layer.key_value(x), 2, -1)]
        return [self._heads(part) for part in parts]

    def _heads(self, x: np.ndarray) -> np.ndarray:
        """[batch, n, hidden_size] -> [batch, n_heads, n, head_dim]."""
        return x.reshape(*x.shape[:2], self.n_heads, -1).swapaxes(1, 2)


def _attend(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    settings: Sequence[HeadSettings],
    params: HdpParams,
    observe: Callable[[Sequence[HeadSettings], HeadResults], None],
) -> np.ndarray:
    """Operands [batch, n_heads, n_q, head_dim] of a layer's context, a few inputs at a time."""
    batch, n_heads, n_q, _ = q.shape
    step, contexts = max(1, ELEMENTS // (n_heads * n_q * k.shape[2])), []
    for start in range(0, batch, step):
        part = slice(start, start + step)
        results = attend_many(q[part], k[part], v[part], settings, params)
        contexts.append(results.output)
        observe(settings, results)
    return np.concatenate(contexts)
