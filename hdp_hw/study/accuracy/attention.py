"""Attention of whole models by the golden model, bit for bit what driver and hardware compute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.layer import LayerSettings, as_scale
from hdp_hw.golden.bits.core.attention_core import HeadResults, attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.cycles.core.plan import array_cycles
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Verdict
from hdp_hw.study.models import softmax_attention

Observe = Callable[[int, Sequence[HeadSettings], HeadResults], None]
ELEMENTS = 1 << 18  #: scores that are worked on at a time, so that they stay in the cache


class HdpAttention:
    """An attention back end for :class:`hdp_hw.study.models.Encoder`.

    Parameters
    ----------
    layers : sequence of LayerSettings
        Of each layer; None for one that is computed in float.
    params : HdpParams
    observe : callable
        ``observe(layer, settings, results)`` after each call: HeadSettings of each head, and
        :class:`golden.bits.core.attention_core.HeadResults` [batch, n_heads]. Calls of several threads may meet.
    """

    def __init__(
        self,
        layers: Sequence[LayerSettings | None],
        params: HdpParams,
        observe: Observe = lambda layer, settings, results: None,
    ):
        self.layers, self.params, self.observe = list(layers), params, observe

    def __call__(self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Context of q, k and v, [batch, n_heads, n, head_dim] or without the batch. Raises ParameterError."""
        settings = self.layers[layer]
        if settings is None:
            return softmax_attention(layer, q, k, v)
        if q.ndim == 3:
            return self(layer, q[None], k[None], v[None])[0]
        batch, n_heads, n, head_dim = q.shape
        heads = settings.head_settings(n_heads, n_heads, n, n, head_dim, self.params)
        scales = [as_scale(absmax) for absmax in (settings.q_absmax, settings.k_absmax, settings.v_absmax)]
        step, context = max(1, ELEMENTS // (n_heads * n * n)), np.empty_like(q)
        for start in range(0, batch, step):
            texts = slice(start, start + step)
            operands = [quantize(x[texts], scale, self.params) for x, scale in zip((q, k, v), scales)]
            results = attend_many(*operands, heads, self.params)
            context[texts] = results.output * (scales[2] / self.params.digit_max)
            self.observe(layer, heads, results)
        return context


@dataclass(frozen=True)
class LayerCounts:
    """What one layer did with one input: what :meth:`hdp_hw.driver.Bounds.of` takes.

    settings : HeadSettings of its first head; verdicts, kept : of each head; visited : blocks of a head.
    """

    settings: HeadSettings
    verdicts: np.ndarray
    kept: np.ndarray
    visited: int

    @property
    def kept_shares(self) -> tuple[float, ...]:
        """Share of its blocks that each head computes."""
        return tuple((self.kept / self.visited).tolist())

    @property
    def kept_share(self) -> float:
        """Share of the blocks that are computed."""
        return float(self.kept.mean() / self.visited)

    @property
    def pruned_heads(self) -> int:
        """How many heads are pruned."""
        return int((self.verdicts == Verdict.PRUNED).sum())

    @property
    def fallbacks(self) -> int:
        """How many heads keep less than ``min_keep`` and run dense."""
        return int((self.verdicts == Verdict.FALLBACK).sum())

    def array_cycles(self, params: HdpParams) -> int:
        """Array cycles without bubbles, of all heads."""
        return int(array_cycles(self.settings, self.verdicts, self.visited, self.kept, params).sum())

    def dense_cycles(self, params: HdpParams) -> int:
        """The same under the dense rule."""
        return len(self.kept) * self.visited * 2 * params.slices(self.settings.head_dim)


class Counter:
    """Observes an HdpAttention: ``layers[layer]`` lists the LayerCounts of its inputs, in no particular order."""

    def __init__(self, n_layers: int):
        self.layers: list[list[LayerCounts]] = [[] for _ in range(n_layers)]

    def __call__(self, layer: int, settings: Sequence[HeadSettings], results: HeadResults) -> None:
        counts = zip(results.verdict, results.n_kept)
        self.layers[layer] += [LayerCounts(settings[0], *of_input, results.n_visited) for of_input in counts]
