"""Heads through the core, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hdp_hw.golden.bits.array.tile_array import context, integer_scores, scores, value_sums, value_total
from hdp_hw.golden.bits.core.drain import drain
from hdp_hw.golden.bits.core.pruned_means import pruned_means
from hdp_hw.golden.bits.core.softmax_unit import stand_in, weights
from hdp_hw.golden.bits.encoder.linear_head import linear_head
from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.golden.bits.pruning.geometry import any_of_tiles, valid_elements, visited_blocks
from hdp_hw.golden.bits.pruning.head_verdict import head_verdict
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict

SHARED = ("n_q", "n_k", "head_dim", "rule", "causal", "compensate", "mean_output")  #: alike in heads that run at once


@dataclass(frozen=True, eq=False)
class HeadResult:
    """What one head produces.

    output : integers [n_q, d], s2w; mask : bool [blocks_q, blocks_k], the blocks the rule kept;
    executed : bool, the blocks computed (all of them after a fall-back, none for a pruned head).
    """

    output: np.ndarray
    mask: np.ndarray
    executed: np.ndarray
    verdict: Verdict
    theta_head: int
    n_visited: int
    n_kept: int


@dataclass(frozen=True, eq=False)
class HeadResults:
    """The same of heads [...]: arrays with these axes first, ``n_visited`` aside; an index gives one head's."""

    output: np.ndarray
    mask: np.ndarray
    executed: np.ndarray
    verdict: np.ndarray
    theta_head: np.ndarray
    n_visited: int
    n_kept: np.ndarray

    def __getitem__(self, head: Any) -> HeadResult:
        output, mask, executed = (array[head] for array in (self.output, self.mask, self.executed))
        verdict, theta_head, n_kept = (array[head].item() for array in (self.verdict, self.theta_head, self.n_kept))
        return HeadResult(output, mask, executed, Verdict(verdict), theta_head, self.n_visited, n_kept)


def attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, settings: HeadSettings, params: HdpParams, table: Any = None
) -> HeadResult:
    """HeadResult of one head: q [n_q, d], k and v [n_k, d], integers of 2w bits. Raises ParameterError.

    Of a linear layer, v is its scales as golden.bits.encoder.linear_head packs them, table its activation's, and the
    output the bytes of its results.
    """
    if settings.linear:
        executed = any_of_tiles(valid_elements(settings.validate(params), params.tile), params.tile)
        output, n = linear_head(q, k, v, settings, table), executed.size
        return HeadResult(output, executed, executed, Verdict.DENSE, 0, n, n)
    return attend_many(q[None], k[None], v[None], [settings], params)[0]


def attend_many(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, settings: Sequence[HeadSettings], params: HdpParams
) -> HeadResults:
    """HeadResults of q [..., n_heads, n_q, d], k and v [..., n_heads, n_k, d], integers of 2w bits.

    settings : HeadSettings of each head, alike in SHARED. Raises ParameterError.
    """
    for of_head in settings:
        of_head.validate(params)
    return _attend(q, k, v, stacked(settings), params)


def _attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, settings: HeadSettings, params: HdpParams) -> HeadResults:
    """HeadResults of heads whose settings are :func:`stacked`."""
    for name, array, rows in (("q", q, settings.n_q), ("k", k, settings.n_k), ("v", v, settings.n_k)):
        if array.shape[-2:] != (rows, settings.head_dim):
            raise ValueError(f"{name} has shape {array.shape[-2:]}, settings say {(rows, settings.head_dim)}")
    tile = params.tile
    valid = valid_elements(settings, tile)
    mask, verdict, theta_head, a = _predict(q, k, valid, settings, params)
    full = (verdict == Verdict.DENSE) | (verdict == Verdict.FALLBACK)
    executed = np.where(full, any_of_tiles(valid, tile), mask & (verdict == Verdict.SPARSE))
    output = _execute(q, k, v, a, valid, executed, verdict, settings, params)
    n_visited = int(visited_blocks(settings, tile).sum())
    verdict, theta_head = verdict[..., 0, 0], theta_head[..., 0, 0]
    return HeadResults(
        output[..., : settings.n_q, :], mask, executed, verdict, theta_head, n_visited, executed.sum((-2, -1))
    )


def stacked(settings: Sequence[HeadSettings]) -> HeadSettings:
    """HeadSettings of several heads in one: fields in which they differ are arrays [n_heads, 1, 1]."""
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(HeadSettings)):
        column = [getattr(of_head, name) for of_head in settings]
        values[name] = column[0] if len(set(column)) == 1 else np.array(column, np.int32)[:, None, None]
        if name in SHARED and isinstance(values[name], np.ndarray):
            raise ValueError(f"heads that run at once differ in {name}: {column}")
    return HeadSettings(**values)


def _predict(
    q: np.ndarray, k: np.ndarray, valid: np.ndarray, settings: HeadSettings, params: HdpParams
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Masks, verdicts and head importances, both [..., 1, 1], and padded integer scores."""
    a = _pad(integer_scores(q, k, params.digit_width), valid.shape)
    mask = block_mask(a, valid, settings, params.tile)
    theta = np.where(valid, np.abs(a), 0).sum(-1, keepdims=True, dtype=a.dtype).sum(-2, keepdims=True)
    theta = theta * (settings.rule != Rule.DENSE)
    n_kept, n_visited = mask.sum((-2, -1), keepdims=True), int(visited_blocks(settings, params.tile).sum())
    return mask, head_verdict(theta, int(valid.sum()), n_kept, n_visited, settings), theta, a


def _execute(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    a: np.ndarray,
    valid: np.ndarray,
    executed: np.ndarray,
    verdict: Any,
    settings: HeadSettings,
    params: HdpParams,
) -> np.ndarray:
    """Output [..., blocks_q * tile, d] from the executed blocks."""
    tile, w = params.tile, params.digit_width
    full = (verdict == Verdict.DENSE) | (verdict == Verdict.FALLBACK)
    kept = executed.repeat(tile, -2).repeat(tile, -1) & valid
    s = _pad(scores(q, k, w, full | params.exact), valid.shape)
    p, row_max = weights(s, kept, settings.mult, settings.shift, w)
    e_pruned = n_pruned = total = kept_sums = np.zeros((1, 1), np.int64)
    stands_in = np.where(verdict == Verdict.PRUNED, settings.mean_output, settings.compensate & ~full)
    if stands_in.any():
        n_kept, last_kept = (x.repeat(tile, -1)[..., None] for x in (executed.sum(-1), executed[..., -1]))
        pruned_sum = np.where(kept, 0, a).sum(-1, keepdims=True, dtype=a.dtype)
        mean, n_pruned = pruned_means(pruned_sum, n_kept, last_kept, settings.n_k, params)
        e_pruned = stand_in(row_max, mean, settings.mult, settings.shift, w) * stands_in
        total = value_total(v, w)[..., None, :]
        kept_keys = executed.repeat(tile, -1)[..., : settings.n_k]
        kept_sums = value_sums(kept_keys, v, w).repeat(tile, -2)
    sums = context(p[..., : settings.n_k], v, w)
    return drain(sums, p.sum(-1, keepdims=True, dtype=p.dtype), e_pruned, n_pruned, total, kept_sums, params)


def _pad(matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Zeros behind the rows and columns of [..., rows, columns] up to ``shape``."""
    if matrix.shape[-2:] == shape:
        return matrix
    padded = np.zeros((*matrix.shape[:-2], *shape), matrix.dtype)
    padded[..., : matrix.shape[-2], : matrix.shape[-1]] = matrix
    return padded
