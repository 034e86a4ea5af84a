"""The blocks of a head that are executed, row by row."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings


@dataclass(frozen=True, eq=False)
class SurvivorRow:
    """A block row: ``columns`` of the ``n_blocks`` that exist survive; the first of them takes the slot ``base``."""

    row: int
    base: int
    n_blocks: int
    columns: np.ndarray


def survivor_list(executed: np.ndarray, settings: HeadSettings, params: HdpParams, slot: int = 0) -> list[SurvivorRow]:
    """``[SurvivorRow]`` of boolean [blocks_q, blocks_k]; survivors take the slots of a ring in order, from ``slot``."""
    rows = []
    for row, n_blocks in enumerate(existing_blocks(settings, params.tile)):
        columns = np.flatnonzero(executed[row, :n_blocks])
        rows.append(SurvivorRow(row, slot, n_blocks, columns))
        slot = (slot + len(columns)) % params.score_slots
    return rows
