"""Importance of a block."""

import numpy as np


def block_importance(a_tiles: np.ndarray, valid_tiles: np.ndarray) -> np.ndarray:
    """theta = sum of |A| over the valid elements of each tile: [..., T, T] -> [...]."""
    return np.where(valid_tiles, np.abs(a_tiles), 0).sum((-2, -1))
