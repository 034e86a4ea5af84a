"""Which elements and which blocks of a head's score matrix exist."""

import numpy as np

from hdp_hw.spec.settings import HeadSettings


def valid_elements(settings: HeadSettings, tile: int) -> np.ndarray:
    """Boolean [blocks_q * tile, blocks_k * tile]: the valid elements of the padded score matrix."""
    rows = -(-settings.n_q // tile) * tile
    columns = -(-settings.n_k // tile) * tile
    i, j = np.arange(rows)[:, None], np.arange(columns)[None, :]
    valid = (i < settings.n_q) & (j < settings.n_k)
    if settings.causal:
        valid &= j <= i + settings.n_k - settings.n_q
    return valid


def existing_blocks(settings: HeadSettings, tile: int) -> np.ndarray:
    """Integers [blocks_q]: blocks of each block row that hold a valid element."""
    rows, columns = -(-settings.n_q // tile), -(-settings.n_k // tile)
    if not settings.causal:
        return np.full(rows, columns)
    visible = np.minimum(np.arange(1, rows + 1) * tile, settings.n_q) + settings.n_k - settings.n_q
    return np.maximum(-(-visible // tile), 0)


def visited_blocks(settings: HeadSettings, tile: int) -> np.ndarray:
    """Integers [blocks_q]: blocks of each block row that the predictor visits: the existing ones, at least one."""
    return np.maximum(existing_blocks(settings, tile), 1)


def any_of_tiles(elements: np.ndarray, tile: int) -> np.ndarray:
    """Boolean [..., rows, columns] -> [..., block_rows, block_columns]: tiles in which any element is true."""
    *heads, rows, columns = elements.shape
    of_rows = np.asarray(elements.reshape(*heads, rows // tile, tile, columns).any(-2))
    return np.logical_or.reduce([of_rows[..., column::tile] for column in range(tile)])


def tiles_of(matrix: np.ndarray, tile: int) -> np.ndarray:
    """View [..., rows, columns] as [..., block_row, block_column, tile, tile]."""
    *heads, rows, columns = matrix.shape
    return matrix.reshape(*heads, rows // tile, tile, columns // tile, tile).swapaxes(-3, -2)
