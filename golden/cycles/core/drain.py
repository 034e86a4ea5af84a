"""When output leaves the core."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.head_table import HeadTable
from hdp_hw.golden.cycles.core.jobs import RowJob, Work
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Verdict
from hdp_hw.spec.timing import DRAIN_SPARE, LINEAR_DRAIN_LATENCY, core_latencies

STORES = 2  #: rows whose context sums are held


def row_beats(settings: HeadSettings, params: HdpParams) -> int:
    """Output beats of a row: elements, or bytes of a linear layer's results."""
    length = settings.n_k * (1 + settings.words) if settings.linear else settings.head_dim
    return length // params.out_lanes


@dataclass(eq=False)
class _Beats:
    """Beats of a row that follow each other: so many, the last of which is at the output in ``cycle`` or later."""

    row: RowJob
    n: int
    cycle: int
    ends: bool  #: a head


class Leaving:
    """Rows that leave, beat by beat, through a queue in which each beat has its place before it is begun.

    latency : from a beat's last step to its being at the output; steps : of a beat, a clock cycle each.
    """

    def __init__(
        self, clock: Clock, params: HdpParams, streams: FreeStreams, table: HeadTable, latency: int, steps: int
    ) -> None:
        self.clock, self.params, self.streams, self.table = clock, params, streams, table
        self.latency, self.steps = latency, steps
        self.row: RowJob | None = None  # that leaves
        self.beats, self.begins, self.ends = 0, 0, 0  # of it, not yet begun; when the next begin, and when they end
        self.begun = 0  # beats whose steps are under way
        self.places = latency + DRAIN_SPARE  # for beats on their way
        self.leaving: deque[_Beats] = deque()
        self.left = 0  # cycle in which the last beat left
        self.work: list[Work] = []

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        if self.leaving and self.leaving[0].cycle <= self.clock.now:
            self._offer(self.leaving[0])
        if self.row and not self.begun and self.begins <= self.clock.now and self.places:
            self._begin_beats()
        if self.row and self.begun and self.ends <= self.clock.now:
            self._end_beats(self.row)
        if not self.row and (row := self._next_row()):
            self._begin(row)

    def _next_row(self) -> RowJob | None:
        """The row that can be taken in this cycle."""
        raise NotImplementedError

    def _taken(self, row: RowJob) -> Callable[[], object]:
        """What a row changes a cycle after it was taken."""
        raise NotImplementedError

    def _row_ends(self, row: RowJob) -> None:
        """The last step of a row is in this cycle."""
        raise NotImplementedError

    def _begin(self, row: RowJob) -> None:
        """A row that is taken in this cycle."""
        self.clock.at(1, self._taken(row))
        plan = row.head.plan
        self.row = row
        refused = plan.verdict == Verdict.ERROR
        n_rows = min(self.params.tile, plan.settings.n_q - row.row * self.params.tile)
        self.beats = 1 if refused else n_rows * row_beats(plan.settings, self.params)
        self._wait()
        first = self.clock.now + self._steps_of(row, 1) + self.latency
        self.work.append(("drain", row.head.index, row.row, first, first + self._steps_of(row, self.beats)))

    def _wait(self) -> None:
        self.begins = self.clock.now + 1
        self.clock.wake(1)

    def _steps_of(self, row: RowJob, beats: int) -> int:
        """Clock cycles of some beats' steps; what stands for a refused head is one."""
        return 1 if row.head.plan.verdict == Verdict.ERROR else beats * self.steps

    def _begin_beats(self) -> None:
        """The next beat; where no beat is refused, places never run out: all of the row."""
        assert self.row
        self.begun = 1 if self.streams.stalls else self.beats
        self.beats -= self.begun
        self.places -= 1
        self.ends = self.clock.now + self._steps_of(self.row, self.begun) - 1
        self.clock.wake(max(1, self.ends - self.clock.now))

    def _end_beats(self, row: RowJob) -> None:
        """The last step of some beats is in this cycle."""
        last = not self.beats
        self.leaving.append(_Beats(row, self.begun, self.clock.now + self.latency, row.last and last))
        self.begun = 0
        self._follow(self.leaving[-1])
        if last:
            self.row = None
            self._row_ends(row)
        else:
            self._wait()

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


class Drain(Leaving):
    """Clock cycles of rows from the queue ``rows`` to the output."""

    def __init__(
        self, clock: Clock, params: HdpParams, rows: Queue[RowJob], streams: FreeStreams, table: HeadTable
    ) -> None:
        super().__init__(clock, params, streams, table, core_latencies(params).drain, 1)
        self.rows = rows
        self.sums = 0  # rows whose sums of weights have come
        self.stores, self.complete = STORES, 0  # stores that are free, and that are full

    def take_store(self) -> None:
        """A row's context sums begin to come."""
        self.stores -= 1

    def fill_store(self) -> None:
        """A row's context sums are complete."""
        self.complete += 1

    def _next_row(self) -> RowJob | None:
        row = self.rows.head
        return self.rows.pop() if row and self.sums and (self.complete or not row.n_tiles) else None

    def _taken(self, row: RowJob) -> Callable[[], object]:
        def change() -> None:
            self.sums -= 1
            self.complete -= row.n_tiles != 0

        return change

    def _row_ends(self, row: RowJob) -> None:
        if row.n_tiles:
            self.clock.at(1, self._free_store)

    def _free_store(self) -> None:
        self.stores += 1


class LinearDrain(Leaving):
    """Clock cycles of rows of linear layers from the queue ``rows``, before softmax, to the output.

    free : called with the score slots that a row gives back.
    """

    def __init__(
        self,
        clock: Clock,
        params: HdpParams,
        rows: Queue[RowJob],
        streams: FreeStreams,
        table: HeadTable,
        free: Callable[[int], None],
    ) -> None:
        super().__init__(clock, params, streams, table, LINEAR_DRAIN_LATENCY, params.out_lanes)
        self.rows, self.free = rows, free
        self.complete = 0  # rows whose sums are in their slots, and that have not begun

    def fill(self, n: int = 1) -> None:
        """The sums of a row are complete, or used."""
        self.complete += n

    def _next_row(self) -> RowJob | None:
        row = self.rows.head
        if not row or not row.head.plan.settings.linear or not (self.complete or not row.n_tiles):
            return None
        return self.rows.pop()

    def _taken(self, row: RowJob) -> Callable[[], object]:
        return lambda: self.fill(-1 if row.n_tiles else 0)

    def _row_ends(self, row: RowJob) -> None:
        self.clock.at(2, lambda: self.free(row.n_tiles))
