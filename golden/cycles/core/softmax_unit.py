"""When the weights of block rows are complete."""

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.drain import Drain
from hdp_hw.golden.cycles.core.jobs import RowJob, Work
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.timing import core_latencies


def softmax_steps(n_tiles: int, stand_in: bool, params: HdpParams) -> int:
    """Clock cycles from a block row to the next: elements of its tiles, and stand-ins for pruned keys."""
    steps_of_tile, steps_of_stand_in = (ceil_div(n, params.softmax_lanes) for n in (params.tile**2, params.tile))
    return n_tiles * steps_of_tile + stand_in * steps_of_stand_in if n_tiles else 1


class SoftmaxUnit:
    """Clock cycles of rows from ``rows`` to ``context``, the queues before and behind it."""

    def __init__(
        self, clock: Clock, params: HdpParams, rows: Queue[RowJob], context: Queue[RowJob], drain: Drain
    ) -> None:
        self.clock, self.params, self.rows, self.context, self.drain = clock, params, rows, context, drain
        self.latency = core_latencies(params).softmax
        self.free = 0
        self.maxima = 0  # rows whose maxima are complete and that have not begun
        self.finished = 0  # rows whose weights are complete and that have not left ``context``
        self.work: list[Work] = []

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        row, now = self.rows.head, self.clock.now
        if now < self.free or not row or row.head.plan.settings.linear:
            return
        if self.context.full or (row.n_tiles and not self.maxima):
            return
        self.rows.pop()
        self.context.push(row)
        plan = row.head.plan
        stand_in = plan.verdict == Verdict.SPARSE and bool(plan.settings.compensate)
        steps = softmax_steps(row.n_tiles, stand_in, self.params)
        self.free = now + steps
        self.work.append(("softmax", row.head.index, row.row, now + 1, now + 1 + steps))
        if row.n_tiles:
            self.clock.at(1, lambda: self.count_maxima(-1))
        self.clock.wake(steps)
        self.clock.at(steps + self.latency + 1, self._finish)

    def count_maxima(self, n: int = 1) -> None:
        """The maxima of a row are complete, or used."""
        self.maxima += n

    def context_taken(self) -> None:
        """The oldest finished row is taken in this cycle."""
        self.clock.at(1, lambda: self._count_finished(-1))

    def _count_finished(self, n: int) -> None:
        self.finished += n

    def _finish(self) -> None:
        self.finished += 1
        self.drain.sums += 1
