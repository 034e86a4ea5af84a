"""HDP as an attention method: the bit-exact golden model behind the interface of its peers."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from hdp_hw.golden.bits.core.attention_core import attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.shell.fetch import ALL, MASKED, NOTHING, fetch_plan
from hdp_hw.golden.bits.shell.plane_reader import row_beats
from hdp_hw.golden.calibration import head_settings
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.study.peers.cost import addition, multiplication
from hdp_hw.study.peers.cycles import dense_cycles, layer_cycles
from hdp_hw.study.peers.method import Method

#: Additions and comparisons of the rules for each element of A, beside the one of block and head importance.
RULE_ADDITIONS = {Rule.ROW_THRESHOLD: 0, Rule.MARGIN: 2, Rule.MASS: 4}
BLOCK_ADDITIONS = {Rule.ROW_THRESHOLD: 3, Rule.MARGIN: 0, Rule.MASS: 0}  #: likewise for each block
KAPPA_BITS = 8


class GoldenCore(Method):
    """Attention by the core's golden model: quantises to 2w bits, computes, and has the error of both.

    Work is that of the array: the integer product of all elements, which decides; again, with the two mixed products,
    that of the kept ones (all four under ``dense`` and after a fall-back); PV of the kept ones. To it come the
    predictor's additions, and those of compensation. Bytes are those that the co-processor moves for the head, and
    clock cycles those of its cores. A head that is pruned whole needs neither V nor its part of the output projection,
    but its mean V where that is its output; the co-processor computes both, so they are counted apart, as ``spared``.
    """

    def of_layer(self, layer, n_heads, n, d):
        """``(scales, settings)``: magnitudes of Q, K and V that become the largest integer, each a number or
        [n_heads, 1, 1], and the HeadSettings of each head."""
        raise NotImplementedError

    def __call__(self, layer, q, k, v):
        *_, n_heads, n, d = q.shape
        scales, settings = self.of_layer(layer, n_heads, n, d)
        integers = [quantize(x, absmax, self.params) for x, absmax in zip((q, k, v), scales)]
        results = attend_many(*integers, settings, self.params)
        self._count(layer, q, results, settings)
        return (results.output * (scales[2] / self.params.digit_max)).astype(np.float32)

    def _count(self, layer, q, results, settings, **more):
        """Count what a layer did with the positions that HeadResults are of; more : further counts."""
        shared = settings[0]  # in what matters here
        (*_, n_heads, n, d), tile = q.shape, self.params.tile
        kept = elements_kept(results, shared.n_q, tile)
        cost, decision = work_of(results, shared, self.params)
        pruned, n_timed = results.verdict == Verdict.PRUNED, self.timed(layer, q)
        counts = dict(
            macs=2 * d * kept.sum((-2, -1)),
            cost=cost,
            dense_cost=2 * d * n * n * multiplication(*2 * [self.params.operand_width]),
            decision=decision,
            bytes=bytes_moved(results, shared, self.params),
            dense_bytes=4 * n * d * self.params.operand_width / 8,
            pruned_heads=pruned,
            spared=pruned * (shared.n_q - shared.mean_output),
        )
        self.add(layer, q, kept, **counts | more)
        for text in islice(np.ndindex(q.shape[:-3]), n_timed):
            heads = [results[*text, head] for head in range(n_heads)]
            taken = layer_cycles(heads, settings, self.params)
            dense = dense_cycles(n_heads, n, d, self.params)
            self.work.add(layer, cycles=taken / n_heads, dense_cycles=dense / n_heads)


@dataclass(eq=False)
class Hdp(GoldenCore):
    """HDP with one rule and threshold for all layers.

    Parameters
    ----------
    params : HdpParams
        The array.
    scales : array [n_layers, 3]
        Magnitudes of Q, K and V that become the largest integer, of each layer.
    rule : str
        ``row_threshold``, ``margin``, ``mass`` or ``dense``.
    threshold : float
        As :func:`golden.calibration.head_settings` takes it; in units of 1 / n_k where ``relative`` is set.
    relative : bool
        For the mass rule.
    compensate : bool
        One key stands in for the pruned ones.
    tau_head : float
        Heads whose mean |A| is below are pruned.
    mean_output : bool
        A pruned head's output is the mean of V instead of zero.
    """

    params: HdpParams
    scales: np.ndarray
    rule: str = "mass"
    threshold: float = 1.0
    relative: bool = True
    compensate: bool = True
    tau_head: float = 0.0
    mean_output: bool = False

    def __post_init__(self):
        names = [rule.name.lower() for rule in Rule]
        if self.rule not in names:
            raise ParameterError("rule", self.rule, ", ".join(names))
        if self.rule == "mass" and self.threshold <= 0:
            raise ParameterError("threshold", self.threshold, "above 0 for rule mass")

    def of_layer(self, layer, n_heads, n, d):
        rule, threshold = Rule[self.rule.upper()], self.threshold
        if rule == Rule.MASS:
            threshold = min(1.0, threshold / n if self.relative else threshold)
        more = dict(compensate=self.compensate, tau_head=self.tau_head, mean_output=self.mean_output)
        settings = head_settings(n, n, d, *self.scales[layer][:2], self.params, rule, threshold, **more)
        return self.scales[layer], [settings] * n_heads


def elements_kept(results, n, tile):
    """Mask [..., n, n] of the scores in blocks of HeadResults that were executed."""
    return results.executed.repeat(tile, -2).repeat(tile, -1)[..., :n, :n]


def work_of(results, settings, params):
    """``(cost, decision)`` [...]: work of the heads with these HeadResults, see :mod:`hdp_hw.study.peers.cost`.

    settings : HeadSettings of one of them.
    """
    n, d, tile, digit = settings.n_q, settings.head_dim, params.tile, params.digit_width
    verdict, n_kept = results.verdict, elements_kept(results, n, tile).sum((-2, -1))
    full = np.isin(verdict, (Verdict.DENSE, Verdict.FALLBACK)) | params.exact
    one, operands = multiplication(digit, digit), multiplication(2 * digit, 2 * digit)
    cost = n_kept * d * (np.where(full, 4, 3) * one + operands)
    if settings.compensate:
        sums = n_kept / tile + n  # rows of V that are added up: of kept keys for each block row, and of all
        cost = cost + np.where(verdict == Verdict.SPARSE, (sums * d + n * n - n_kept) * addition(), 0)
    if settings.mean_output:
        cost = cost + np.where(verdict == Verdict.PRUNED, n * d * addition(), 0)
    decision = 0.0
    if settings.rule != Rule.DENSE:
        additions = 1 + RULE_ADDITIONS[settings.rule] + BLOCK_ADDITIONS[settings.rule] / tile**2
        decision = n * n * (d * one + additions * addition())
    if settings.rule == Rule.MASS:
        decision += n * n * multiplication(KAPPA_BITS, params.a_width)
    return cost, decision


def bytes_moved(results, settings, params):
    """Bytes [...] that the co-processor reads and writes for heads with these HeadResults; their records aside.

    :func:`golden.bits.shell.job.traffic` counts the same, segment by segment.
    """
    n, slices = settings.n_k, params.slices(settings.head_dim)
    keys = results.mask.any(-2).repeat(params.tile, -1)[..., :n].sum(-1)
    moved = np.full(keys.shape, settings.n_q * settings.head_dim * params.operand_width // 8)
    for verdict in np.unique(results.verdict):
        for plane, how in fetch_plan(Verdict(verdict), settings).items():
            rows = {NOTHING: 0, MASKED: keys, ALL: settings.n_q if plane.startswith("q") else n}[how]
            words = ceil_div(slices, 2 if plane == "value" else 4)
            of_plane = rows * row_beats(words, params) * params.bus_bytes
            moved += np.where(results.verdict == verdict, of_plane, 0)
    return moved
