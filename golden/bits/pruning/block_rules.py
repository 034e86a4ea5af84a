"""The four block rules: a boolean mask over blocks from the integer scores."""

import numpy as np

from hdp_hw.golden.bits.pruning.block_importance import block_importance
from hdp_hw.golden.bits.pruning.coarse_exp import coarse_exp_table, coarse_log, coarse_logit
from hdp_hw.golden.bits.pruning.geometry import any_of_tiles, tiles_of
from hdp_hw.spec.settings import HeadSettings, Rule


def block_mask(a: np.ndarray, valid: np.ndarray, settings: HeadSettings, tile: int) -> np.ndarray:
    """Boolean [..., blocks_q, blocks_k]: the blocks that the rule keeps; equality keeps.

    a : integer scores [..., blocks_q * tile, blocks_k * tile]; valid : their valid elements, of all heads the same;
    settings : HeadSettings of one head, or of several as :func:`golden.bits.core.attention_core.stacked` gives them.
    """
    exists = any_of_tiles(valid, tile)
    if settings.rule == Rule.DENSE:
        return np.broadcast_to(exists, (*a.shape[:-2], *exists.shape))
    if settings.rule == Rule.ROW_THRESHOLD:
        return _row_threshold(block_importance(tiles_of(a, tile), tiles_of(valid, tile)), exists, settings, tile)
    row_max = np.where(valid, a, np.iinfo(a.dtype).min).max(-1, keepdims=True)
    difference = np.where(valid, row_max - a, 0)
    if settings.rule == Rule.MARGIN:
        keep = difference <= settings.margin
    else:
        x = coarse_logit(difference, settings)
        z = np.where(valid, coarse_exp_table().take(x), 0).sum(-1, keepdims=True, dtype=np.int32)
        keep = x <= np.maximum(settings.log_mass - coarse_log(np.maximum(z, 1 << 15)), 0)
    return any_of_tiles(keep & valid, tile)


def _row_threshold(theta: np.ndarray, exists: np.ndarray, settings: HeadSettings, tile: int) -> np.ndarray:
    """256 * n_b * theta >= |rho| * n_b * extreme + (256 - |rho|) * sum(theta), the extreme being max or min."""
    n_b = exists.sum(-1, keepdims=True)
    total = np.where(exists, theta, 0).sum(-1, keepdims=True)
    largest = np.where(exists, theta, 0).max(-1, keepdims=True)
    smallest = np.where(exists, theta, np.iinfo(np.int64).max >> 20).min(-1, keepdims=True)
    extreme, rho = np.where(np.asarray(settings.rho) >= 0, largest, smallest), np.abs(settings.rho)
    keep = 256 * n_b * theta >= rho * n_b * extreme + (256 - rho) * total
    offset = settings.n_k - settings.n_q
    if settings.causal and offset % tile:  # a later row's block alone would leave earlier rows without a key
        rows = np.arange(theta.shape[-2])
        keep[..., rows, np.clip(rows * tile + offset, 0, settings.n_k - 1) // tile] = True
    return keep & exists
