"""When output leaves the core."""

from collections import deque
from dataclasses import dataclass

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.head_table import HeadTable
from hdp_hw.golden.cycles.core.jobs import RowJob, Work
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Verdict
from hdp_hw.spec.timing import DRAIN_SPARE, core_latencies

STORES = 2  #: rows whose context sums are held


def row_beats(settings: HeadSettings, row: int, params: HdpParams) -> int:
    """Output beats of a block row."""
    n_rows = min(params.tile, settings.n_q - row * params.tile)
    return n_rows * settings.head_dim // params.out_lanes


@dataclass(eq=False)
class _Beats:
    """Beats of a row that follow each other: so many, the last of which is at the output in ``cycle`` or later."""

    row: RowJob
    n: int
    cycle: int
    ends: bool  #: a head


class Drain:
    """Clock cycles of rows from the queue ``rows`` to the output."""

    def __init__(
        self, clock: Clock, params: HdpParams, rows: Queue[RowJob], streams: FreeStreams, table: HeadTable
    ) -> None:
        self.clock, self.params, self.rows, self.streams, self.table = clock, params, rows, streams, table
        self.latency = core_latencies(params).drain
        self.sums = 0  # rows whose sums of weights have come
        self.stores, self.complete = STORES, 0  # stores that are free, and that are full
        self.row: RowJob | None = None  # that leaves
        self.beats, self.step = 0, 0  # beats of it that are not begun, and the cycle in which the next may be
        self.places = self.latency + DRAIN_SPARE  # for beats on their way
        self.leaving: deque[_Beats] = deque()
        self.left = 0  # cycle in which the last beat left
        self.work: list[Work] = []

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.leaving and self.leaving[0].cycle <= self.clock.now:
            self._offer(self.leaving[0])
        if self.row and self.step <= self.clock.now and self.places:
            self._step(self.row)
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
        plan = row.head.plan
        self.row = row
        self.beats = 1 if plan.verdict == Verdict.ERROR else row_beats(plan.settings, row.row, self.params)
        self._next_step()
        first = self.clock.now + 1 + self.latency
        self.work.append(("drain", row.head.index, row.row, first, first + self.beats))

    @property
    def _at_once(self) -> int:
        """Beats that :meth:`_step` begins: one. Where no beat is refused, places never run out: all of the row."""
        return 1 if self.streams.stalls else self.beats

    def _next_step(self) -> None:
        self.step = self.clock.now + self._at_once
        self.clock.wake(self._at_once)

    def _step(self, row: RowJob) -> None:
        """The last of the row's next beats is begun in this cycle."""
        n = self._at_once
        self.beats -= n
        self.places -= 1
        self.leaving.append(_Beats(row, n, self.clock.now + self.latency, row.last and not self.beats))
        self._follow(self.leaving[-1])
        if self.beats:
            self._next_step()
            return
        self.row = None
        if row.n_tiles:
            self.clock.at(1, self._free_store)

    def _taken(self, row: RowJob) -> None:
        self.sums -= 1
        self.complete -= row.n_tiles != 0

    def _free_store(self) -> None:
        self.stores += 1

    def _free_place(self) -> None:
        self.places += 1

    def _offer(self, beats: _Beats) -> None:
        """The last of some beats is at the output, or what stands for the output of a refused head."""
        head = beats.row.head
        free = not (beats.ends and self.table.status)
        if not free or (head.plan.verdict != Verdict.ERROR and not self.streams.beat_taken()):
            self.clock.wake(1)
            return
        self.leaving.popleft()
        self.left = self.clock.now
        if self.leaving:
            self._follow(self.leaving[0])
        self.clock.at(2, self._free_place)
        if beats.ends:
            self.clock.at(1, lambda: self.table.report(head))

    def _follow(self, beats: _Beats) -> None:
        """Beats leave one by one, behind those that have left."""
        beats.cycle = max(beats.cycle, self.left + beats.n)
        self.clock.wake(beats.cycle - self.clock.now)
