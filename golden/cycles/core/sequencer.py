"""When row operations take the array."""

from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.drain import Drain, LinearDrain
from hdp_hw.golden.cycles.core.jobs import Head, RowJob, Work
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.core.softmax_unit import SoftmaxUnit
from hdp_hw.golden.cycles.pruning.predictor import Predictor
from hdp_hw.golden.cycles.pruning.survivor_list import SurvivorList
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.timing import core_latencies


def operation_cycles(kind: str, n_tiles: int, head_dim: int, full: bool, params: HdpParams) -> int:
    """Clock cycles that an operation of ``n_tiles`` takes the array; ``kind``: "predict", "score" or "context".

    Those of a prediction include the idle ones in which the array waits for the predictor.
    """
    if kind == "predict":
        return n_tiles * (params.integer_cycles(head_dim) + params.predictor_wait(head_dim))
    if kind == "context" or (kind == "score" and (full or params.exact)):
        return n_tiles * params.slices(head_dim)
    return n_tiles * (params.integer_cycles(head_dim) + params.cross_cycles(head_dim))


class Sequencer:
    """Clock cycles of the array's operations: a prediction first, then a context, then scores.

    Behind a prediction, though, contexts and scores come first until a row of scores has begun or passed.

    score, context : queues whose rows it takes; those behind are softmax.rows and drain.rows.
    """

    latency = 2  #: from taking an operation to its first micro-operation

    def __init__(
        self,
        clock: Clock,
        params: HdpParams,
        predictor: Predictor,
        survivors: SurvivorList,
        softmax: SoftmaxUnit,
        drain: Drain,
        linear: LinearDrain,
    ) -> None:
        self.clock, self.params, self.latencies = clock, params, core_latencies(params)
        self.predictor, self.survivors, self.softmax, self.drain = predictor, survivors, softmax, drain
        self.linear = linear
        self.score: Queue[RowJob] = survivors.listed
        self.context: Queue[RowJob] = softmax.context
        self.free, self.yields = 0, False
        self.operations: list[Work] = []
        self.busy = dict.fromkeys(("predict", "score", "context"), 0)  # clock cycles with a micro-operation
        self.first_busy: int | None = None

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        # Rows without tiles pass, whatever the array does.
        score, context = self.score.head, self.context.head if self.softmax.finished else None
        if score and not score.n_tiles and not self.softmax.rows.full:
            self.softmax.rows.push(self.score.pop())
            self.clock.set(self, yields=False)
        if context and not context.n_tiles and not self.drain.rows.full:
            self._pop_context()
        if self.clock.now < self.free:
            return
        if self.predictor.has_room and not self.yields:
            self._begin_predict()
        elif context and context.n_tiles and not self.drain.rows.full and self.drain.stores:
            self._begin_context()
        elif score and score.n_tiles and not self.softmax.rows.full:
            self._begin_score()
        elif self.predictor.has_room:
            self._begin_predict()

    def _begin(self, kind: str, head: Head, row: int, n_tiles: int) -> int:
        """An operation that is taken in this cycle; returns the clock cycles to its last micro-operation."""
        plan: HeadPlan = head.plan
        cycles = operation_cycles(kind, n_tiles, plan.settings.head_dim, plan.full, self.params)
        begin = self.clock.now + self.latency
        wait = self.params.predictor_wait(plan.settings.head_dim) if kind == "predict" else 0
        self.busy[kind] += cycles - n_tiles * wait
        if self.first_busy is None:
            self.first_busy = begin + wait
        self.operations.append((kind, head.index, row, begin, begin + cycles))
        self.free = self.clock.now + cycles
        self.clock.wake(cycles)
        return self.latency + cycles - 1

    def _begin_predict(self) -> None:
        head, row, n_tiles, last = self.predictor.take_row()
        self.clock.set(self, yields=True)
        end = self._begin("predict", head, row, n_tiles)
        self.predictor.row_comes(head, n_tiles, last, self.clock.now + end + self.latencies.score)

    def _begin_score(self) -> None:
        row = self.score.pop()
        self.softmax.rows.push(row)
        self.clock.set(self, yields=False)
        end = self._begin("score", row.head, row.row, row.n_tiles)
        if row.head.plan.settings.linear:
            self.clock.at(end + self.latencies.score + 1, self.linear.fill)
        else:
            self.clock.at(end + self.latencies.score + self.latencies.row_max + 1, self.softmax.count_maxima)

    def _begin_context(self) -> None:
        row = self._pop_context()
        end = self._begin("context", row.head, row.row, row.n_tiles)
        self.clock.at(1, self.drain.take_store)
        self.clock.at(end + 1, lambda: self.survivors.free(row.n_tiles))
        self.clock.at(end + self.latencies.context + 1, self.drain.fill_store)

    def _pop_context(self) -> RowJob:
        row = self.context.pop()
        self.drain.rows.push(row)
        self.softmax.context_taken()
        return row
