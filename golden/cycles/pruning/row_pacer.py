"""When the block rows of a head have their turns in the predictor."""

from hdp_hw.spec.timing import PREDICTOR_LATENCY_A, PREDICTOR_LATENCY_B, ROW_CYCLES_MIN


class RowPacer:
    """Clock cycles of the rows of one head."""

    def __init__(self) -> None:
        self.free = 0

    def turn(self, last_tile: int, n_tiles: int) -> tuple[int, int]:
        """Cycles in which stage B and stage C read the first tile of the next row, whose last enters in ``last_tile``.

        The other tiles follow, one a cycle.
        """
        begin = max(last_tile + PREDICTOR_LATENCY_A, self.free)
        self.free = begin + max(n_tiles, ROW_CYCLES_MIN)
        return begin, self.free + PREDICTOR_LATENCY_B
