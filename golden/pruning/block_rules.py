"""The four block rules: a boolean mask over blocks from the integer scores."""

import numpy as np

from golden.pruning.block_importance import block_importance
from golden.pruning.coarse_exp import coarse_exp, coarse_log, coarse_logit
from golden.pruning.geometry import tiles_of
from hdp_hw.settings import Rule


def block_mask(a, valid, settings, tile):
    """Boolean [blocks_q, blocks_k]: the blocks that the rule keeps; equality keeps.

    a, valid : integer scores and valid elements, [blocks_q * tile, blocks_k * tile].
    """
    v = tiles_of(valid, tile)
    exists = v.any((-2, -1))
    if settings.rule == Rule.DENSE:
        return exists
    if settings.rule == Rule.ROW_THRESHOLD:
        return _row_threshold(block_importance(tiles_of(a, tile), v), exists, settings, tile)
    row_max = np.where(valid, a, np.iinfo(np.int64).min).max(1, keepdims=True)
    difference = np.where(valid, row_max - a, 0)
    if settings.rule == Rule.MARGIN:
        keep = difference <= settings.margin
    else:
        x = coarse_logit(difference, settings)
        z = np.where(valid, coarse_exp(x), 0).sum(1, keepdims=True)
        keep = x <= np.maximum(settings.log_mass - coarse_log(np.maximum(z, 1 << 15)), 0)
    return tiles_of(keep & valid, tile).any((-2, -1))


def _row_threshold(theta, exists, settings, tile):
    """256 * n_b * theta >= |rho| * n_b * extreme + (256 - |rho|) * sum(theta), the extreme being max or min."""
    n_b = exists.sum(1, keepdims=True)
    total = np.where(exists, theta, 0).sum(1, keepdims=True)
    largest = np.where(exists, theta, 0).max(1, keepdims=True)
    smallest = np.where(exists, theta, np.iinfo(np.int64).max >> 20).min(1, keepdims=True)
    extreme = largest if settings.rho >= 0 else smallest
    keep = 256 * n_b * theta >= abs(settings.rho) * n_b * extreme + (256 - abs(settings.rho)) * total
    offset = settings.n_k - settings.n_q
    if settings.causal and offset % tile:  # a later row's block alone would leave earlier rows without a key
        rows = np.arange(theta.shape[0])
        keep[rows, np.clip(rows * tile + offset, 0, settings.n_k - 1) // tile] = True
    return keep & exists
