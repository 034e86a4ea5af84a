"""RowPipeline: rows pass from stage to stage in order, and none before what it needs is there."""

from collections import deque

import cocotb

from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.row_pipeline import N_STORES, RowPipeline
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.timing import QUEUE_DEPTH
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.core.control_bench import Script, Source, flat, random_fields

SUMS = SoftmaxUnit(PARAMS).sums_layout


class Model:
    """The queues between the stages, and the stages around them at random."""

    def __init__(self, rng, busy):
        self.rng, self.busy, self.script = rng, busy, Script()
        self.score, self.softmax, self.context, self.drain, self.sums = (deque() for _ in range(5))
        self.unfinished = self.finished = self.waits = 0
        self.stores = N_STORES
        self.sources = {name: Source(rng, name, busy, self._job) for name in ("i", "i_score", "i_context")}

    def _job(self):
        return random_fields(self.rng, row_job_layout(PARAMS))

    def _ready(self):
        return int(self.rng.random() >= self.busy)

    def cycle(self):
        """A clock cycle: what is offered, then what moves."""
        rng, inputs, outputs = self.rng, {}, {}
        for name, source in self.sources.items():
            inputs |= source.offer(name != "i_context" or self.stores > 0)
        sinks = {name: self._ready() for name in ("o_score", "o_softmax", "o_context", "o_drain", "o_sums")}
        inputs |= {f"{name}_ready": ready for name, ready in sinks.items()}
        finishes = self.unfinished > 0 and len(self.sums) < 2 * QUEUE_DEPTH and rng.random() >= self.busy
        frees = self.stores < N_STORES and rng.random() >= self.busy
        sums = random_fields(rng, SUMS)
        inputs |= {"i_finished": int(finishes), "i_free": int(frees), **flat("i_sums", sums)}

        room = {"i": self.score, "i_score": self.softmax, "i_context": self.drain}
        room = {name: len(queue) < QUEUE_DEPTH for name, queue in room.items()}
        outputs |= {f"{name}_ready": int(ready) for name, ready in room.items()}
        may_pass = {"o_softmax": len(self.context) < QUEUE_DEPTH, "o_context": self.finished > 0}
        queues = {"o_score": self.score, "o_softmax": self.softmax, "o_context": self.context}
        queues |= {"o_drain": self.drain, "o_sums": self.sums}
        left = {}
        for name, queue in queues.items():
            valid = bool(queue) and may_pass.get(name, True)
            outputs[f"{name}_valid"] = int(valid)
            outputs |= flat(name, queue[0]) if valid else {}
            self.waits += bool(queue) and not valid
            if valid and sinks[name]:
                left[name] = queue.popleft()
        outputs["o_context_free"] = int(self.stores > 0)
        self.script.cycle(inputs, outputs)

        came = {name: source.take(room[name]) for name, source in self.sources.items()}
        for name, queue in (("i", self.score), ("i_score", self.softmax), ("i_context", self.drain)):
            queue.extend([came[name]] if came[name] else [])
        self.context.extend([left["o_softmax"]] if "o_softmax" in left else [])
        self.sums.extend([sums] if finishes else [])
        self.unfinished += ("o_softmax" in left) - finishes
        self.finished += finishes - ("o_context" in left)
        begins = came["i_context"] is not None and not came["i_context"]["empty"]
        self.stores += frees - begins


@cocotb.test()
@cocotb.parametrize(busy=[0, 0.2, 0.6])
async def rows(dut, busy):
    """Stages hold back with this probability."""
    model = Model(bench_rng(), busy)
    for _ in range(600):
        model.cycle()
    assert model.waits > 20 or not busy
    await model.script.play(dut)


def pipeline(params):
    return RowPipeline(params, SoftmaxUnit(params).sums_layout)


@on_cores("encoder")
def test_row_pipeline(simulator, core):
    run(pipeline(CORES[core]), __name__, simulator, core)
