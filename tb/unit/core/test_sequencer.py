"""Sequencer against golden.bits.core.sequencer, and the order in which it takes what waits."""

from collections import deque

import cocotb

from hdp_hw.golden.bits.core.sequencer import micro_ops
from hdp_hw.rtl.core.sequencer import Sequencer
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

KINDS = ("predict", "context", "score")  #: in the order in which they are preferred


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


def random_shape(rng):
    d = int(rng.integers(1, PARAMS.max_slices + 1)) * PARAMS.slice_width
    return {"integer": PARAMS.integer_cycles(d), "cross": PARAMS.cross_cycles(d), "slices": PARAMS.slices(d)}


class Schedule:
    """Jobs of all kinds, each offered at random (``idle``), rooms behind that are full at times (``busy``).

    ``empty`` is the share of rows without tiles.
    """

    def __init__(self, rng, idle, busy, empty=0.3):
        self.rng, self.idle, self.busy = rng, idle, busy
        self.shapes = [random_shape(rng) for _ in range(3)]
        self.to_come = {kind: deque(random_job(rng, kind, empty) for _ in range(60)) for kind in KINDS}
        self.offered = dict.fromkeys(KINDS)
        self.begun, self.waited = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
        self.held = {0: {"i_shapes": bits(Sequencer(PARAMS).i_shapes.shape(), self.shapes)}}
        names = "i_predict_ready i_score_ready i_context_ready o_score_valid o_context_valid o_valid o_freed"
        self.expected = {name: {} for name in names.split()}
        self.cycle = self.free_from = 0
        while any([*self.to_come.values(), *self.offered.values(), self.cycle < self.free_from + Sequencer.latency]):
            self._cycle()
            self.cycle += 1

    def _cycle(self):
        inputs = self.held.setdefault(self.cycle, {})
        room = {kind: kind == "predict" or self.rng.random() >= self.busy for kind in KINDS}
        drain_free = self.rng.random() >= self.busy
        inputs |= {f"o_{kind}_ready": int(room[kind]) for kind in ("score", "context")}
        inputs["i_context_free"] = int(drain_free)
        free = self.cycle >= self.free_from  # no micro-operation, or an operation's last, is chosen
        if free:
            self.expected["i_predict_ready"][self.cycle] = {}
        for kind in KINDS:
            if not self.offered[kind] and self.to_come[kind] and self.rng.random() >= self.idle:
                self.offered[kind] = self.to_come[kind].popleft()
                inputs |= {f"i_{kind}_{name}": value for name, value in self.offered[kind].items()}
            job = self.offered[kind]
            inputs[f"i_{kind}_valid"] = int(job is not None)
            if not job:
                continue
            passes = job["n_tiles"] == 0  # on to the next queue, whatever the array does
            begins = not passes and free and room[kind] and (kind != "context" or drain_free)
            if begins:
                free = False
                self._begin(kind, job)
            taken = begins or (passes and room[kind])
            if kind != "predict" and (begins or passes):
                self.expected[f"o_{kind}_valid"][self.cycle] = {f"o_{kind}_{name}": job[name] for name in job}
                self.expected[f"i_{kind}_ready"] |= {self.cycle: {}} if taken else {}
            if taken:
                self.offered[kind] = None
            self.waited[kind] += not taken

    def _begin(self, kind, job):
        """Micro-operations of a job that is taken in this cycle."""
        ops = micro_ops(kind, job["n_tiles"], self.shapes[job["head"]], job["full"])
        first, self.free_from = self.cycle + Sequencer.latency, self.cycle + len(ops)
        self.begun[kind] += 1
        for n, op in enumerate(ops):
            tile = op.pop("tile")
            op |= {"column": tile} if kind == "predict" else {"slot": (job["base"] + tile) % PARAMS.score_slots}
            op |= {name: job[name] for name in ("head", "half", "row")}
            op |= {"predict": kind == "predict", "last_row": job["last"]}
            self.expected["o_valid"][first + n] = {f"o_op_{name}": value for name, value in op.items()}
        if kind == "context":
            self.expected["o_freed"][first + len(ops) - 1] = {"o_freed": job["n_tiles"]}


@cocotb.test()
async def always_work(dut):
    """All kinds wait and all rooms are free: no cycle without a micro-operation, predictions first, scores last."""
    schedule = Schedule(bench_rng(), 0, 0, empty=0)
    busy = schedule.expected["o_valid"]
    assert len(busy) == max(busy) - min(busy) + 1 > 1000
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
