"""One head through the core, bit for bit."""

from dataclasses import dataclass

import numpy as np

from golden.array.tile_array import context, integer_scores, scores, value_sums, value_total
from golden.core.drain import drain
from golden.core.pruned_means import pruned_means
from golden.core.softmax_unit import stand_in, weights
from golden.pruning.block_rules import block_mask
from golden.pruning.geometry import tiles_of, valid_elements, visited_blocks
from golden.pruning.head_verdict import head_verdict
from hdp_hw.settings import Rule, Verdict


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
    tile = params.tile
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
    tile, w = params.tile, params.digit_width
    full = verdict in (Verdict.DENSE, Verdict.FALLBACK)
    kept = np.kron(executed, np.ones((tile, tile), bool)) & valid
    s = _pad(scores(q, k, w, full), valid.shape)
    p, row_max = weights(s, kept, settings.mult, settings.shift, w)
    e_pruned = n_pruned = total = kept_sums = np.zeros((1, 1), np.int64)
    if (settings.mean_output if verdict == Verdict.PRUNED else settings.compensate) and not full:
        of_rows = (np.repeat(x, tile)[:, None] for x in (executed.sum(1), executed[:, -1]))
        pruned_sum = np.where(kept, 0, a).sum(1, keepdims=True)
        mean, n_pruned = pruned_means(pruned_sum, *of_rows, settings.n_k, params)
        e_pruned = stand_in(row_max, mean, settings.mult, settings.shift, w)
        total = value_total(v, w)
        kept_keys = np.repeat(executed, tile, 1)[:, : settings.n_k]
        kept_sums = np.repeat(value_sums(kept_keys, v, w), tile, 0)
    sums = context(p[:, : settings.n_k], v, w)
    return drain(sums, p.sum(1, keepdims=True), e_pruned, n_pruned, total, kept_sums, params)


def _pad(matrix, shape):
    padded = np.zeros(shape, np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
