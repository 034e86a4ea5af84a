"""Clock cycles of the predictor."""

from dataclasses import dataclass

from hdp_hw.spec.timing import PREDICTOR_LATENCY_A, PREDICTOR_LATENCY_B, PREDICTOR_LATENCY_C, ROW_CYCLES_MIN


@dataclass(frozen=True)
class PredictorCycles:
    """Clock cycles of one head.

    stage_b, stage_c : per block row, the cycle in which the stage reads the row's first tile; the others follow, one a
    cycle.
    row_done : per block row, the cycle of ``o_row_done``; done : the cycle of ``o_done``.
    """

    stage_b: list
    stage_c: list
    row_done: list
    done: int


def predictor_cycles(last_tiles, n_tiles):
    """Cycles of one head, from the cycle in which each block row's last tile enters and each row's number of tiles."""
    stage_b, stage_c, free = [], [], 0
    for last_tile, n in zip(last_tiles, n_tiles, strict=True):
        start = max(last_tile + PREDICTOR_LATENCY_A, free)
        free = start + max(n, ROW_CYCLES_MIN)
        stage_b.append(start)
        stage_c.append(free + PREDICTOR_LATENCY_B)
    row_done = [start + n for start, n in zip(stage_b, n_tiles, strict=True)]
    return PredictorCycles(stage_b, stage_c, row_done, stage_c[-1] + n_tiles[-1] + PREDICTOR_LATENCY_C)
