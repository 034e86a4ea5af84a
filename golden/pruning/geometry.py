"""Which elements and which blocks of a head's score matrix exist."""

import numpy as np


def valid_elements(settings, tile):
    """Boolean [blocks_q * tile, blocks_k * tile]: the valid elements of the padded score matrix."""
    rows = -(-settings.n_q // tile) * tile
    columns = -(-settings.n_k // tile) * tile
    i, j = np.arange(rows)[:, None], np.arange(columns)[None, :]
    valid = (i < settings.n_q) & (j < settings.n_k)
    if settings.causal:
        valid &= j <= i + settings.n_k - settings.n_q
    return valid


def visited_blocks(settings, tile):
    """Integers [blocks_q]: blocks of each block row that are visited, those with a valid element (at least one)."""
    rows, columns = -(-settings.n_q // tile), -(-settings.n_k // tile)
    if not settings.causal:
        return np.full(rows, columns)
    last_query = np.minimum(np.arange(1, rows + 1) * tile, settings.n_q) - 1
    return np.clip((last_query + settings.n_k - settings.n_q) // tile + 1, 1, columns)


def tiles_of(matrix, tile):
    """View [rows, columns] as [block_row, block_column, tile, tile]."""
    rows, columns = matrix.shape
    return matrix.reshape(rows // tile, tile, columns // tile, tile).swapaxes(1, 2)
