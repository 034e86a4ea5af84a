"""Real-valued scales and thresholds to the integers of HeadSettings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hdp_hw.golden.bits.array.tile_array import integer_scores
from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.golden.bits.pruning.geometry import valid_elements, visited_blocks
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.spec.tables import COARSE_FRACTION, logit_fraction

if TYPE_CHECKING:
    from hdp_hw.golden.stimulus import Head


def mantissa_and_shift(factor: float, max_shift: int) -> tuple[int, int]:
    """``(m, s)`` with m of 8 bits and m / 2^s ~ factor > 0, the largest such s up to ``max_shift``."""
    shift = max(0, min(max_shift, 7 - math.floor(math.log2(factor))))
    mantissa = round(factor * 2**shift)
    if mantissa > 255:
        shift, mantissa = max(shift - 1, 0), min(round(factor * 2 ** max(shift - 1, 0)), 255)
    return mantissa, shift


def head_settings(
    n_q: int,
    n_k: int,
    head_dim: int,
    q_absmax: float,
    k_absmax: float,
    params: HdpParams,
    rule: Rule = Rule.DENSE,
    threshold: float = 0.0,
    **more: Any,
) -> HeadSettings:
    """Settings for operands quantised with ``golden.bits.digits.quantize``.

    threshold : rho for row_threshold (-1 < rho < 1), nats for margin, p (0 < p <= 1) for mass; not used by dense.
    more : further fields of HeadSettings; tau_head here is a real mean |A|, min_keep a share.
    """
    w = params.digit_width
    per_score = q_absmax * k_absmax / params.digit_max**2 * math.log2(math.e) / math.sqrt(head_dim)  # log2 per S
    mult, shift = mantissa_and_shift(per_score * 2 ** logit_fraction(w), 63)
    per_a = per_score * 4**w
    kappa, kappa_shift = mantissa_and_shift(per_a * 2**COARSE_FRACTION, 31)
    values = dict(more)
    if rule == Rule.ROW_THRESHOLD:
        values["rho"] = round(threshold * 256)
    elif rule == Rule.MARGIN:
        values["margin"] = min(round(threshold * math.log2(math.e) / per_a), 2**16 - 1)
    elif rule == Rule.MASS:
        values["log_mass"] = min(round(-math.log2(threshold) * 16), 511)
    values["tau_head"] = round(values.get("tau_head", 0) * 256)
    values["min_keep"] = round(values.get("min_keep", 0) * 256)
    return HeadSettings(
        n_q, n_k, head_dim, rule, mult=mult, shift=shift, kappa=kappa, kappa_shift=kappa_shift, **values
    ).validate(params)


#: Threshold of a rule from its strictness, 0 (keeps nearly all) to 1 (keeps least).
_THRESHOLD = {
    Rule.ROW_THRESHOLD: lambda strictness: (2 * strictness - 1) * 255 / 256,
    Rule.MARGIN: lambda strictness: 32 * (1 - strictness) ** 2,
    Rule.MASS: lambda strictness: 2.0 ** (31 * (strictness - 1)),
}


def threshold_for_share(
    heads: Sequence[Head], rule: Rule, kept_share: float, params: HdpParams, **more: Any
) -> tuple[float, float]:
    """``(threshold, share)``: the rule's threshold with which ``heads`` keep about ``kept_share`` of their blocks.

    share : what they keep, all blocks of all heads together. It differs from ``kept_share`` where that lies below
        what the rule must keep (a block a row) or between two integer thresholds.
    heads : of :mod:`golden.stimulus`. more : further fields of HeadSettings. ``threshold`` as in :func:`head_settings`.
    """
    prepared = []
    for head in heads:
        q, k, _ = head.quantised(params)
        valid = valid_elements(head.settings(params, rule, _THRESHOLD[rule](1), **more), params.tile)
        a = np.zeros(valid.shape, np.int64)
        a[: head.n_q, : head.n_k] = integer_scores(q, k, params.digit_width)
        prepared.append((head, a, valid))

    def share(strictness: float) -> float:
        kept = visited = 0
        for head, a, valid in prepared:
            settings = head.settings(params, rule, _THRESHOLD[rule](strictness), **more)
            kept += block_mask(a, valid, settings, params.tile).sum()
            visited += visited_blocks(settings, params.tile).sum()
        return float(kept / visited)

    loose, strict = 0.0, 1.0
    for _ in range(14):
        middle = (loose + strict) / 2
        loose, strict = (middle, strict) if share(middle) > kept_share else (loose, middle)
    best = min((loose, strict), key=lambda strictness: abs(share(strictness) - kept_share))
    return _THRESHOLD[rule](best), share(best)
