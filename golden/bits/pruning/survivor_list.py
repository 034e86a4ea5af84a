"""The blocks of a head that are executed, row by row, and the clock cycles of listing them."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.pruning.geometry import existing_blocks


@dataclass(frozen=True, eq=False)
class SurvivorRow:
    """A block row: ``columns`` of the ``n_blocks`` that exist survive; the first of them takes the slot ``base``."""

    row: int
    base: int
    n_blocks: int
    columns: np.ndarray


def survivor_list(executed, settings, params, slot=0):
    """``[SurvivorRow]`` of boolean [blocks_q, blocks_k]; survivors take the slots of a ring in order, from ``slot``."""
    rows = []
    for row, n_blocks in enumerate(existing_blocks(settings, params.tile)):
        columns = np.flatnonzero(executed[row, :n_blocks])
        rows.append(SurvivorRow(row, slot, n_blocks, columns))
        slot = (slot + len(columns)) % params.score_slots
    return rows


def listed_after(row, read_mask, params):
    """Clock cycles from the beginning of a row to each of its survivors being chosen, and to the row's offer.

    read_mask : whether the mask has to be read, word by word (neither all blocks nor none).
    """
    if not read_mask or row.n_blocks == 0:
        return list(range(1, len(row.columns) + 1)), len(row.columns) + 1
    cycles, end = [], 1
    for word in range(-(-row.n_blocks // params.mask_word)):
        n = np.count_nonzero(row.columns // params.mask_word == word)
        end += 2  # the word is read
        cycles += range(end, end + n)
        end += max(n, 1)
    return cycles, end
