"""One head through the core, bit for bit."""

from dataclasses import dataclass

import numpy as np

from golden.approximation.compensator import mean_score
from golden.approximation.exp2 import exp2, logit, weight
from golden.approximation.reciprocal import reciprocal
from golden.approximation.requantizer import requantize
from golden.array.tile_array import context, integer_scores, scores
from golden.digits import split
from golden.pruning.block_rules import block_mask
from golden.pruning.geometry import tiles_of, valid_elements, visited_blocks
from golden.pruning.head_verdict import head_verdict
from hdp_hw.settings import Rule, Verdict
from hdp_hw.tables import exp2_coefficients, guard, normalised_width


@dataclass(frozen=True)
class HeadResult:
    """What one head produces.

    output : int64 [n_q, d], s2w; mask : bool [blocks_q, blocks_k], the blocks the rule kept;
    executed : bool, the blocks computed (all of them after a fall-back, none for a pruned head).
    """

    output: np.ndarray
    mask: np.ndarray
    executed: np.ndarray
    verdict: Verdict
    theta_head: int
    n_visited: int
    n_kept: int


def attend(q, k, v, settings, params):
    """Attention of one head: q [n_q, d], k and v [n_k, d], integers of 2w bits. Raises ParameterError."""
    settings.validate(params)
    for name, array, rows in (("q", q, settings.n_q), ("k", k, settings.n_k), ("v", v, settings.n_k)):
        if array.shape != (rows, settings.head_dim):
            raise ValueError(f"{name} has shape {array.shape}, settings say {(rows, settings.head_dim)}")
    tile, w = params.tile, params.digit_width
    valid = valid_elements(settings, tile)
    mask, verdict, theta_head, a = _predict(q, k, valid, settings, params)
    everything = tiles_of(valid, tile).any((-2, -1))
    full = verdict in (Verdict.DENSE, Verdict.FALLBACK)
    executed = everything if full else mask & (verdict == Verdict.SPARSE)
    output = _execute(q, k, v, a, valid, executed, verdict, settings, params)
    return HeadResult(
        output[: settings.n_q],
        mask,
        executed,
        verdict,
        theta_head,
        int(visited_blocks(settings, tile).sum()),
        int(executed.sum()),
    )


def _predict(q, k, valid, settings, params):
    """Mask, verdict, head importance and padded integer scores."""
    a = _pad(integer_scores(q, k, params.digit_width), valid.shape)
    mask = block_mask(a, valid, settings, params.tile)
    theta = int(np.abs(a[valid]).sum()) if settings.rule != Rule.DENSE else 0
    n_visited = int(visited_blocks(settings, params.tile).sum())
    return mask, head_verdict(theta, int(valid.sum()), int(mask.sum()), n_visited, settings), theta, a


def _execute(q, k, v, a, valid, executed, verdict, settings, params):
    """Output [blocks_q * tile, d] from the executed blocks."""
    w, one = params.digit_width, exp2_coefficients(params.digit_width)[0]
    full = verdict in (Verdict.DENSE, Verdict.FALLBACK)
    kept = np.kron(executed, np.ones((params.tile, params.tile), bool)) & valid
    s = _pad(scores(q, k, w, full), valid.shape)
    any_kept = kept.any(1, keepdims=True)
    row_max = np.where(kept, s, np.iinfo(np.int64).min).max(1, keepdims=True)
    e = exp2(logit(np.where(kept, row_max - s, 0), settings.mult, settings.shift, w), w)
    p = np.where(kept, weight(e, w), 0)
    values = np.zeros((valid.shape[1], v.shape[1]), np.int64)
    values[: settings.n_k] = v
    numerator = context(p, values, w) << guard(w)
    denominator = p.sum(1, keepdims=True) << guard(w)

    pruned_head = verdict == Verdict.PRUNED
    if (settings.mean_output if pruned_head else settings.compensate) and not full:
        pruned_keys = valid.any(0) & ~np.repeat(executed, params.tile, 1)  # [blocks_q, keys], one set a block row
        pruned_keys = np.repeat(pruned_keys, params.tile, 0)
        n_pruned = pruned_keys.sum(1, keepdims=True)
        mean = mean_score(np.where(pruned_keys, a, 0).sum(1, keepdims=True), n_pruned, params)
        distance = np.where(any_kept, np.maximum(row_max - mean, 0), 0)
        e_pruned = exp2(logit(distance, settings.mult, settings.shift, w), w)
        integer, fraction = split(values, w)
        numerator = numerator + e_pruned * (pruned_keys.astype(np.int64) @ ((integer << w) + fraction))
        denominator = denominator + e_pruned * n_pruned
    assert one * params.max_seq_len >= denominator.max()
    width = normalised_width(w, params.max_seq_len)
    r, shift = reciprocal(denominator, width, w)
    return requantize(numerator, r, shift, width, w)


def _pad(matrix, shape):
    padded = np.zeros(shape, np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
