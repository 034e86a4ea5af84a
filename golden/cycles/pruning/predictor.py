"""Clock cycles of the predictor."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core.jobs import Head
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.pruning.block_rows import BlockRows
from hdp_hw.golden.cycles.pruning.row_pacer import RowPacer
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.timing import PREDICTOR_LATENCY_C, PREDICTOR_ROWS, core_latencies


@dataclass(frozen=True)
class PredictorCycles:
    """Clock cycles of one head.

    stage_b, stage_c : per block row, the cycle in which the stage reads the row's first tile; the others follow, each
    ``predictor_turns`` cycles after the one before.
    row_done : per block row, the cycle of ``o_row_done``; done : the cycle of ``o_done``.
    """

    stage_b: list[int]
    stage_c: list[int]
    row_done: list[int]
    done: int


def predictor_cycles(last_tiles: Iterable[int], n_tiles: Iterable[int], params: HdpParams) -> PredictorCycles:
    """Cycles of one head, from the cycle in which each block row's last tile enters and each row's number of tiles."""
    pacer, n_tiles = RowPacer(params), list(n_tiles)
    turns = [pacer.turn(last_tile, n) for last_tile, n in zip(last_tiles, n_tiles, strict=True)]
    stage_b, stage_c = (list(stage) for stage in zip(*turns))
    row_done = [row_done_cycle(start, n, params) for start, n in zip(stage_b, n_tiles)]
    return PredictorCycles(stage_b, stage_c, row_done, done_cycle(stage_c[-1], n_tiles[-1], params))


def row_done_cycle(stage_b: int, n_tiles: int, params: HdpParams) -> int:
    """Cycle of ``o_row_done`` of a row whose turn begins in cycle ``stage_b``."""
    return stage_b + n_tiles * params.predictor_turns


def done_cycle(stage_c: int, n_tiles: int, params: HdpParams) -> int:
    """Cycle of ``o_done`` of a head whose last row begins stage C in cycle ``stage_c``."""
    return stage_c + (n_tiles + 1) * params.predictor_turns - 1 + PREDICTOR_LATENCY_C


class Predictor:
    """Clock cycles of heads from their loaded I plane to their verdict; ``verdict`` is called when one falls."""

    def __init__(self, clock: Clock, params: HdpParams, verdict: Callable[[HeadPlan], None]) -> None:
        self.clock, self.params, self.verdict, self.means = clock, params, verdict, core_latencies(params).means
        self.heads: deque[Head] = deque()
        self.busy = False
        self.rows, self.in_flight = BlockRows(clock), 0  # rows that are on their way
        self._pacer = RowPacer(params)

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.busy or not self.heads or "integer" not in self.heads[0].loaded:
            return
        self.busy = True
        head = self.heads[0]
        if head.plan.predicted:
            self._pacer = RowPacer(self.params)
            self.rows.start(len(head.plan.visited))
        else:
            self.verdict(head.plan)
            self.clock.at(1, self._leave)
            self.clock.set(head, predicted=True)

    @property
    def has_room(self) -> bool:
        """A row is on offer to the array, and has a place here."""
        return self.rows.row is not None and self.in_flight < PREDICTOR_ROWS

    def take_row(self) -> tuple[Head, int, int, bool]:
        """``(head, row, n_tiles, last)`` that the array takes in this cycle."""
        head = self.heads[0]
        row, last = self.rows.take()
        return head, row, head.plan.visited[row], last

    def row_comes(self, head: Head, n_tiles: int, last: bool, arrival: int) -> None:
        """The last tile of the row that is taken in this cycle will be here in cycle ``arrival``."""
        now = self.clock.now
        self.clock.at(1, lambda: self._count(1))
        stage_b, stage_c = self._pacer.turn(arrival, n_tiles)
        self.clock.at(row_done_cycle(stage_b, n_tiles, self.params) + 1 - now, lambda: self._count(-1))
        if last:
            done = done_cycle(stage_c, n_tiles, self.params) - now
            self.clock.at(done, lambda: self.verdict(head.plan))
            self.clock.at(done + 1, self._leave)
            self.clock.at(done + 1 + self.means, lambda: setattr(head, "predicted", True))

    def _count(self, n: int) -> None:
        self.in_flight += n

    def _leave(self) -> None:
        self.heads.popleft()
        self.busy = False
