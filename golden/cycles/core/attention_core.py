"""Clock cycles of the core, exact.

The schedule is simulated row by row, on a :class:`golden.cycles.clock.Clock`. Blocks carry the names of the hardware's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.cycles.clock import Clock, Queue
from hdp_hw.golden.cycles.core.drain import Drain, LinearDrain
from hdp_hw.golden.cycles.core.head_table import HeadTable
from hdp_hw.golden.cycles.core.jobs import RowJob, Work
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.cycles.core.plane_loader import PlaneLoader
from hdp_hw.golden.cycles.core.sequencer import Sequencer
from hdp_hw.golden.cycles.core.softmax_unit import SoftmaxUnit
from hdp_hw.golden.cycles.core.streams import FreeStreams
from hdp_hw.golden.cycles.pruning.predictor import Predictor
from hdp_hw.golden.cycles.pruning.survivor_list import SurvivorList
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.spec.timing import QUEUE_DEPTH


@dataclass(frozen=True)
class CoreCycles:
    """When things happen, in clock cycles; 0 is the one in which the first settings are offered.

    done : of each head, the cycle in which its status is taken; busy : array cycles by kind of row operation
    (``predict``, ``score``, ``context``); first_busy, last_busy : of the array, None if it never worked;
    operations : ``(kind, head, row, begin, end)`` of each, in order, end exclusive; those of a prediction include the
    cycles in which the array waits for the predictor, which is not busy then.
    """

    done: list[int]
    busy: dict[str, int]
    first_busy: int | None
    last_busy: int | None
    operations: list[Work]

    @property
    def array_time(self) -> int:
        """Cycles from the array's first to its last."""
        return 0 if self.first_busy is None or self.last_busy is None else self.last_busy - self.first_busy + 1

    @property
    def total_busy(self) -> int:
        """Cycles in which the array worked."""
        return sum(self.busy.values())


class AttentionCore:
    """Clock cycles of heads through the core; ``streams`` is what is around it."""

    def __init__(self, clock: Clock, params: HdpParams, streams: FreeStreams) -> None:
        queues: list[Queue[RowJob]] = [Queue(clock, QUEUE_DEPTH) for _ in range(4)]
        listed, to_softmax, to_context, to_drain = queues
        self.loaders = {plane: PlaneLoader(clock, plane, streams) for plane in STREAMS}
        self.predictor = Predictor(clock, params, streams.verdict)
        self.survivors = SurvivorList(clock, params, listed)
        loaders = self.loaders.values()
        takers = [*(each.heads.append for each in loaders), self.predictor.heads.append, self.survivors.heads.append]
        self.table = HeadTable(clock, streams, takers, [each.free for each in loaders])
        self.drain = Drain(clock, params, to_drain, streams, self.table)
        self.linear = LinearDrain(clock, params, to_softmax, streams, self.table, self.survivors.free)
        self.softmax = SoftmaxUnit(clock, params, to_softmax, to_context, self.drain)
        self.sequencer = Sequencer(clock, params, self.predictor, self.survivors, self.softmax, self.drain, self.linear)

    def look(self) -> None:
        """See :class:`golden.cycles.clock.Clock`."""
        self.table.look()
        for loader in self.loaders.values():
            loader.look()
        self.predictor.look()
        self.survivors.look()
        self.sequencer.look()
        self.softmax.look()
        self.drain.look()
        self.linear.look()
        self.table.look_at_status()

    @property
    def work(self) -> list[Work]:
        """What each block has done, in the order in which it began."""
        loading = [work for loader in self.loaders.values() for work in loader.work]
        return sorted(
            loading + self.softmax.work + self.drain.work + self.linear.work + self.sequencer.operations, key=_begin
        )

    def cycles(self) -> CoreCycles:
        """CoreCycles of what has happened."""
        table, sequencer = self.table, self.sequencer
        operations = sequencer.operations
        assert len(table.done) == table.n_entered and not table.inside, f"{len(table.inside)} heads never ended"
        last = operations[-1][4] - 1 if operations else None
        return CoreCycles(table.done, sequencer.busy, sequencer.first_busy, last, operations)


def run(plans: Iterable[HeadPlan], params: HdpParams) -> AttentionCore:
    """The core once ``plans`` are through, which follow each other without a stall on any stream."""
    clock = Clock()
    core = AttentionCore(clock, params, FreeStreams(plans))
    clock.blocks = [core]
    clock.run()
    return core


def core_cycles(plans: Iterable[HeadPlan], params: HdpParams) -> CoreCycles:
    """CoreCycles of ``plans`` (HeadPlan) that follow each other without a stall on any stream."""
    return run(plans, params).cycles()


def standard_head_cycles(n: int, head_dim: int, params: HdpParams) -> dict[str, int]:
    """``{"latency": cycles, "cycles": cycles}`` of a dense head: alone, and each of several in a row."""
    settings = HeadSettings(n, n, head_dim, Rule.DENSE).validate(params)
    zeros = np.zeros((n, head_dim), np.int64)
    plan = HeadPlan.of(settings, attend(zeros, zeros, zeros, settings, params), params)
    done = core_cycles([plan] * 4, params).done
    return {"latency": done[0] + 1, "cycles": done[3] - done[2]}


def _begin(work: Work) -> int:
    return work[3]
