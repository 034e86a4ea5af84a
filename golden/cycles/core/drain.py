"""When output leaves the core."""

from collections import deque
from dataclasses import dataclass

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.head_table import HeadTable
from hdp_hw.golden.cycles.core.jobs import RowJob, Work
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Verdict
from hdp_hw.spec.timing import core_latencies

STORES = 2  #: rows whose context sums are held


def row_beats(settings: HeadSettings, row: int, params: HdpParams) -> int:
    """Output beats of a block row."""
    n_rows = min(params.tile, settings.n_q - row * params.tile)
    return n_rows * settings.head_dim // params.out_lanes


@dataclass(eq=False)
class _Run:
    """Beats of a row on their way through the drain: so many, the first of which is at the output in a cycle."""

    row: RowJob
    cycle: int
    beats: int


class Drain:
    """Clock cycles of rows from the queue ``rows`` to the output."""

    def __init__(
        self, clock: Clock, params: HdpParams, rows: Queue[RowJob], streams: FreeStreams, table: HeadTable
    ) -> None:
        self.clock, self.params, self.rows, self.streams, self.table = clock, params, rows, streams, table
        self.latency = core_latencies(params).drain
        self.free = 0
        self.sums = 0  # rows whose sums of weights have come
        self.stores, self.complete = STORES, 0  # stores that are free, and that are full
        self.row: RowJob | None = None  # that leaves
        self.leaving: deque[_Run] = deque()
        self.refused = False
        self.work: list[Work] = []

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        now = self.clock.now
        if self.refused:
            self._stand_still()
        self.refused = False
        if self.leaving and self.leaving[0].cycle == now:
            self._offer(self.leaving[0])
        if self.row and now == self.free:
            if self.row.n_tiles:
                self.clock.at(1, self._free_store)
            self.row = None
        row = self.rows.head
        if not self.row and row and self.sums and (self.complete or not row.n_tiles):
            self._begin(row)

    def take_store(self) -> None:
        """A row's context sums begin to come."""
        self.stores -= 1

    def fill_store(self) -> None:
        """A row's context sums are complete."""
        self.complete += 1

    def _begin(self, row: RowJob) -> None:
        """A row that is taken in this cycle."""
        self.rows.pop()
        self.clock.at(1, lambda: self._taken(row))
        plan, now = row.head.plan, self.clock.now
        beats = 1 if plan.verdict == Verdict.ERROR else row_beats(plan.settings, row.row, self.params)
        self.row, self.free = row, now + beats
        self.clock.wake(beats)
        first = now + 1 + self.latency
        self.work.append(("drain", row.head.index, row.row, first, first + beats))
        # Where no beat is refused, nobody looks at those before the last.
        run = _Run(row, first, beats) if self.streams.stalls else _Run(row, first + beats - 1, 1)
        self.leaving.append(run)
        self.clock.wake(run.cycle - now)

    def _taken(self, row: RowJob) -> None:
        self.sums -= 1
        self.complete -= row.n_tiles != 0

    def _free_store(self) -> None:
        self.stores += 1

    def _stand_still(self) -> None:
        """Behind a beat that waited, nothing moved in this cycle."""
        now = self.clock.now
        for run in self.leaving:
            run.cycle += 1
        self.free += now <= self.free
        for cycle in (self.free, *(run.cycle for run in self.leaving)):
            if cycle > now:
                self.clock.wake(cycle - now)

    def _offer(self, run: _Run) -> None:
        """The next beat of a row is at the output, or what stands for the output of a refused head."""
        head, ends = run.row.head, run.row.last and run.beats == 1
        free = not (ends and self.table.status)
        if not free or (head.plan.verdict != Verdict.ERROR and not self.streams.beat_taken()):
            self.refused = True
            self.clock.wake(1)
            return
        run.beats -= 1
        run.cycle += 1
        if run.beats:
            self.clock.wake(1)
        else:
            self.leaving.popleft()
        if ends:
            self.clock.at(1, lambda: self.table.report(head))
