"""When the block rows of a head have their turns in the predictor."""

from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.timing import PREDICTOR_LATENCY_A, PREDICTOR_LATENCY_B, ROW_CYCLES_MIN


class RowPacer:
    """Clock cycles of the rows of one head."""

    def __init__(self, params: HdpParams) -> None:
        self.turns, self.free = params.predictor_turns, 0

    def turn(self, last_tile: int, n_tiles: int) -> tuple[int, int]:
        """Cycles in which stage B and stage C read the first tile of the next row, whose last enters in ``last_tile``.

        The other tiles follow, each ``predictor_turns`` cycles after the one before.
        """
        begin = max(last_tile + self.turns - 1 + PREDICTOR_LATENCY_A, self.free)
        self.free = begin + max(n_tiles * self.turns, ROW_CYCLES_MIN)
        return begin, self.free + PREDICTOR_LATENCY_B
