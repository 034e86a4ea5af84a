"""Sequencer against its golden twins: golden.cycles has what it takes when, golden.bits the micro-operations."""

from collections import deque
from types import SimpleNamespace
from unittest.mock import Mock

import cocotb

from hdp_hw.golden.bits.core.sequencer import micro_ops
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core import sequencer as cycles
from hdp_hw.golden.cycles.core.jobs import Head, RowJob
from hdp_hw.rtl.core.sequencer import Sequencer
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

KINDS = ("predict", "context", "score")


def random_job(rng, kind, empty):
    n_tiles = int(rng.choice([1, 2, rng.integers(1, 6), PARAMS.max_blocks if rng.random() < 0.05 else 3]))
    n_tiles = n_tiles if kind == "predict" or rng.random() >= empty else 0
    return {
        "head": int(rng.integers(0, 3)),
        "half": int(rng.integers(0, 2)),
        "row": int(rng.integers(0, PARAMS.max_blocks)),
        "base": int(rng.integers(0, PARAMS.score_slots)),
        "n_tiles": n_tiles,
        "empty": int(n_tiles == 0),
        "full": int(rng.integers(0, 2)) if kind == "score" else 0,
        "stand_in": int(rng.integers(0, 2)),
        "last": int(rng.integers(0, 2)),
        "error": 0,
    }


def shape(d):
    cycles = {"integer": PARAMS.integer_cycles(d), "cross": PARAMS.cross_cycles(d), "slices": PARAMS.slices(d)}
    return cycles | {"wait": PARAMS.predictor_wait(d)}


class Place:
    """A queue at the sequencer: the row that waits in it, or that it is full."""

    def __init__(self):
        self.head, self.full = None, False

    def pop(self):
        row, self.head = self.head, None
        return row

    def push(self, row):
        pass


class Schedule:
    """The neighbours of golden.cycles' sequencer, at random, and all ports, cycle by cycle.

    Jobs of all kinds are offered at times (``idle``), and rooms behind are full at times (``busy``). ``empty`` is the
    share of rows without tiles.
    """

    def __init__(self, rng, idle, busy, empty=0.3):
        self.rng, self.idle, self.busy = rng, idle, busy
        self.dims = [int(rng.integers(1, PARAMS.max_slices + 1)) * PARAMS.slice_width for _ in range(3)]
        self.to_come = {kind: deque(random_job(rng, kind, empty) for _ in range(60)) for kind in KINDS}
        self.offered = dict.fromkeys(KINDS)
        self.n_idle = 0  # cycles in which the array waits for the predictor
        self.begun, self.waited = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
        self.held = {0: {"i_shapes": bits(Sequencer(PARAMS).i_shapes.shape(), [shape(d) for d in self.dims])}}
        names = "i_predict_ready i_score_ready i_context_ready o_score_valid o_context_valid o_valid o_freed"
        self.expected = {name: {} for name in names.split()}

        self.waiting, self.room = ({kind: Place() for kind in KINDS} for _ in range(2))
        self.predictor = Mock(take_row=self._take_predict)
        self.drain = Mock(rows=self.room["context"])
        survivors = Mock(listed=self.waiting["score"], free=self._free)
        softmax = Mock(rows=self.room["score"], context=self.waiting["context"], finished=1)
        self.clock = Clock()
        self.clock.blocks = [self]
        self.sequencer = cycles.Sequencer(
            self.clock, PARAMS, self.predictor, survivors, softmax, self.drain, self.drain
        )
        self.clock.run()

    def look(self):
        """One clock cycle."""
        cycle, sequencer = self.clock.now, self.sequencer
        if not any([*self.to_come.values(), *self.offered.values(), cycle < sequencer.free + Sequencer.latency]):
            return
        self.clock.wake(1)
        inputs = self.held.setdefault(cycle, {})
        for kind in ("score", "context"):
            self.room[kind].full = self.rng.random() < self.busy
            inputs[f"o_{kind}_ready"] = int(not self.room[kind].full)
        inputs["i_context_free"] = self.drain.stores = int(self.rng.random() >= self.busy)
        for kind in KINDS:
            self._offer(kind, inputs)
        self.predictor.has_room = self.waiting["predict"].head is not None
        n_begun, free, yields = len(sequencer.operations), cycle >= sequencer.free, sequencer.yields
        sequencer.look()
        begun = sequencer.operations[n_begun:]
        if free and not (yields and any(kind != "predict" for kind, *_ in begun)):
            self.expected["i_predict_ready"][cycle] = {}  # whether or not there is one
        for kind, *_, begin, end in begun:
            self._begin(kind, begin, end)
        for kind in KINDS:
            if self.offered[kind]:
                self._handshake(kind, self.offered[kind])

    def _offer(self, kind, inputs):
        """A job, at times, unless one waits."""
        if not self.offered[kind] and self.to_come[kind] and self.rng.random() >= self.idle:
            self.offered[kind] = job = self.to_come[kind].popleft()
            inputs |= {f"i_{kind}_{name}": value for name, value in job.items()}
            plan = SimpleNamespace(
                settings=SimpleNamespace(head_dim=self.dims[job["head"]], linear=False), full=job["full"]
            )
            head = Head(job["head"], plan, job["half"], set())
            self.waiting[kind].head = RowJob(head, job["row"], job["n_tiles"], job["last"])
        inputs[f"i_{kind}_valid"] = int(self.offered[kind] is not None)

    def _handshake(self, kind, job):
        """What the streams do in a cycle in which ``job`` is offered; a row without tiles is passed on."""
        taken = self.waiting[kind].head is None
        if kind != "predict" and (taken or not job["n_tiles"]):
            self.expected[f"o_{kind}_valid"][self.clock.now] = {f"o_{kind}_{name}": job[name] for name in job}
        if taken:
            self.offered[kind] = None
            self.expected[f"i_{kind}_ready"][self.clock.now] = {}
        self.waited[kind] += not taken

    def _take_predict(self):
        row = self.waiting["predict"].pop()
        return row.head, row.row, row.n_tiles, row.last

    def _begin(self, kind, begin, end):
        """Micro-operations of the job that is taken in this cycle."""
        job = self.offered[kind]
        full = job["full"] or (kind == "score" and PARAMS.exact)
        ops = micro_ops(kind, job["n_tiles"], shape(self.dims[job["head"]]), full)
        assert len(ops) == end - begin
        self.begun[kind] += 1
        for cycle, op in enumerate(ops, begin):
            if op is None:
                self.n_idle += 1
                continue
            tile = op.pop("tile")
            op |= {"column": tile} if kind == "predict" else {"slot": (job["base"] + tile) % PARAMS.score_slots}
            op |= {name: job[name] for name in ("head", "half", "row")}
            op |= {"predict": kind == "predict", "last_row": job["last"]}
            self.expected["o_valid"][cycle] = {f"o_op_{name}": value for name, value in op.items()}

    def _free(self, n_slots):
        """They are free in this cycle, since the port said so in the last."""
        self.expected["o_freed"][self.clock.now - 1] = {"o_freed": n_slots}


@cocotb.test()
async def always_work(dut):
    """All kinds wait and all rooms are free: no cycle without a micro-operation but for the predictor."""
    schedule = Schedule(bench_rng(), 0, 0, empty=0)
    operations = schedule.sequencer.operations
    assert len(schedule.expected["o_valid"]) + schedule.n_idle == operations[-1][4] - operations[0][3] > 1000
    assert schedule.n_idle
    await play(dut, {}, schedule.held, schedule.expected, idle=0)


@cocotb.test()
@cocotb.parametrize((("idle", "busy"), [(0.8, 0), (0.97, 0.3), (0.2, 0.8)]))
async def at_random(dut, idle, busy):
    """Work comes and rooms become free at random; rows without tiles pass."""
    schedule = Schedule(bench_rng(), idle, busy)
    assert all(schedule.begun.values()) and all(schedule.waited.values())
    await play(dut, {}, schedule.held, schedule.expected, idle=0)


@on_cores()
def test_sequencer(simulator, core):
    run(Sequencer(CORES[core]), __name__, simulator, core)
