"""CoreLane: heads from memory to memory, bit for bit, and what it does about a core that goes wrong."""

import os
import random
from collections import Counter
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.stimulus import random_head
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.core_lane import CoreLane
from hdp_hw.spec.formats import RECORD_BYTES, STREAMS
from hdp_hw.spec.params import ArrayMode, HdpParams
from hdp_hw.spec.settings import HeadError, Rule, Verdict
from tb.lib.axi_memory import Memory, ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.axi_write_memory import WriteChecker, WriteModel, WriteTiming, serve_writes
from tb.lib.faulty_core import FaultyCore
from tb.lib.lockstep import start
from tb.lib.simulation import simulate
from tb.lib.top_bench import TopBench, TopJob
from tb.unit.shell.read_path_bench import Sink, Source, Total

LANES = {
    "narrow": HdpParams(tile=2, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16, bus_width=32),
    "wide": HdpParams(tile=2, lanes=8, digit_width=8, max_head_dim=16, max_seq_len=16, bus_width=128),
}
PARAMS = LANES[os.environ.get("HDP_LANE", "narrow")]  #: of the block under test, on the simulator's side
BASE = 0x1000_0000
MEMORIES = {
    "ideal": (ReadTiming(), WriteTiming()),
    "slow writes": (ReadTiming(), WriteTiming(latency=600)),
    "erratic": (
        ReadTiming(latency=(1, 40), ar_stall=0.3, r_stall=0.3),
        WriteTiming(latency=(1, 40), aw_stall=0.3, w_stall=0.3, b_stall=0.3),
    ),
}
RESULT = ("head", "verdict", "error", "n_visited", "n_kept")


def random_job(rng, n_heads, n_q, n_k, **more):
    """Heads of one length under settings of their own; ``more`` as :func:`golden.calibration.head_settings` has it."""
    heads = [random_head(rng, n_q, n_k, PARAMS.max_head_dim, 2.0) for _ in range(n_heads)]
    q, k, v = (np.array(x) for x in zip(*(head.quantised(PARAMS) for head in heads)))
    rule, threshold = more.pop("rule", Rule.MASS), more.pop("threshold", 0.1)
    return TopJob([head.settings(PARAMS, rule, threshold, **more) for head in heads], q, k, v)


class Bench:
    """A lane with a memory behind each of its ports."""

    def __init__(self, dut, memory, busy=0.0):
        self.dut, self.rng = dut, random.Random(cocotb.RANDOM_SEED)
        self.memory = Memory(1 << 18, BASE)
        self.place = TopBench(dut, PARAMS, self.memory)
        self.reads, self.writes = MEMORIES[memory]
        self.sink = Sink(dut, "o", RESULT, self.rng, busy)
        self.totals = {name: Total(dut, f"o_traffic_{name}") for name in ("read", "skipped", "written")}
        self.errors = {name: Total(dut, f"o_{name}") for name in ("read_error", "write_error", "malformed")}
        modes = [*(mode.name.lower() for mode in ArrayMode), "load", "write", "other"]
        self.activity = {name: Total(dut, f"o_activity_{name}") for name in modes}

    async def start(self):
        dut, bus = self.dut, PARAMS.bus_bytes
        await start(dut)
        self.checker = WriteChecker(bus)
        for index in range(len(STREAMS)):
            model = ReadModel(self.memory, bus, self.reads, self.rng)
            cocotb.start_soon(serve_reads(dut, model, ReadChecker(bus), f"read_{index}"))
        model = WriteModel(self.memory, bus, self.writes, self.rng)
        cocotb.start_soon(serve_writes(dut, model, self.checker, "write"))
        for each in (self.sink, *self.totals.values(), *self.errors.values(), *self.activity.values()):
            cocotb.start_soon(each.run())

    def offer(self, commands):
        """Offer heads from now on."""
        self.offers = cocotb.start_soon(Source(self.dut, "i", commands, self.rng).run())

    async def reset(self):
        """Reset the lane, which then is offered nothing."""
        self.offers.cancel()
        self.dut.i_valid.value, self.dut.aresetn.value = 0, 0
        await RisingEdge(self.dut.aclk)
        self.dut.aresetn.value = 1

    async def steps(self, n):
        for _ in range(n):
            await RisingEdge(self.dut.aclk)


def expected_result(head, result):
    return head, int(result.verdict), HeadError.NONE, result.n_visited, result.n_kept


PRUNES = 2.0 ** (3 + 2 * PARAMS.digit_width)  # of tau_head
JOBS = (
    {"rule": Rule.DENSE}, {"compensate": True}, {"tau_head": PRUNES}, {"tau_head": PRUNES, "mean_output": True},
    {"min_keep": 1.0, "threshold": 0.3}, {"rule": Rule.MARGIN, "threshold": 1.0}, {"causal": True},
)  # fmt: skip


@cocotb.test()
@cocotb.parametrize((("memory", "busy"), [("ideal", 0.0), ("erratic", 0.5)]))
async def heads(dut, memory, busy):
    """Output, records, results, bytes and array cycles of heads under every rule and verdict, one after the other."""
    bench, rng = Bench(dut, memory, busy), np.random.default_rng(cocotb.RANDOM_SEED)
    await bench.start()
    jobs = [
        random_job(rng, 2, *rng.integers(PARAMS.max_seq_len // 2, PARAMS.max_seq_len + 1, 2), **more) for more in JOBS
    ]
    places = [bench.place.place(job) for job in jobs]
    bench.offer([command for job, place in zip(jobs, places) for command in job.commands(place)])
    await bench.sink.collect(2 * len(jobs), 100_000)
    expected, verdicts, bytes_, busy_cycles = [], set(), Counter(), Counter()
    for job, place in zip(jobs, places):
        results = bench.place.check_output(job, place)
        expected += [expected_result(head, result) for head, result in enumerate(results)]
        verdicts |= {result.verdict for result in results}
        cost = traffic(results, job.settings, PARAMS)
        skipped = cost["bytes_unmasked"] - cost["bytes_read"]
        bytes_.update(read=cost["bytes_read"], skipped=skipped, written=cost["bytes_written"])
        for settings, result in zip(job.settings, results):
            for mode, cycles in HeadPlan.of(settings, result, PARAMS).mode_cycles(PARAMS).items():
                busy_cycles[mode.name.lower()] += cycles
    assert bench.sink.beats == expected
    assert verdicts == set(Verdict) - {Verdict.ERROR}, f"hardly tested: {verdicts}"
    assert {name: total.sum for name, total in bench.totals.items()} == bytes_
    assert {name: bench.activity[name].sum for name in busy_cycles} == busy_cycles
    assert not any(total.sum for total in bench.errors.values()) and not bench.checker.pending


@cocotb.test()
@cocotb.parametrize(refused=[0, 1, 2])
async def refused_head(dut, refused):
    """The heads before end as ever; neither it nor those behind write anything, until the reset."""
    bench, rng = Bench(dut, "slow writes"), np.random.default_rng(cocotb.RANDOM_SEED)
    await bench.start()
    job = random_job(rng, 5, 5, 6, rule=Rule.DENSE)
    places, results = bench.place.place(job), job.results(PARAMS)
    job.settings[refused] = replace(job.settings[refused], causal=True, compensate=True)
    bench.offer(job.commands(places))
    await bench.sink.collect(refused + 1, 10_000)
    await bench.steps(2000)
    assert bench.sink.beats[:-1] == [expected_result(head, result) for head, result in enumerate(results[:refused])]
    assert bench.sink.beats[-1][:3] == (refused, Verdict.ERROR, HeadError.SETTINGS)
    for head, output in enumerate(bench.place.output(job, places)):
        assert np.array_equal(output, results[head].output) if head < refused else not output.any(), f"head {head}"
    records = bench.memory.peek(places["record"], len(results) * RECORD_BYTES)
    assert not any(records[refused * RECORD_BYTES :]) and not bench.checker.pending

    await bench.reset()
    job = random_job(rng, 2, 4, 7)
    places = bench.place.place(job)
    bench.offer(job.commands(places))
    await bench.sink.collect(refused + 3, 10_000)
    bench.place.check_output(job, places)


@cocotb.test(skip="HDP_FAULTY" not in os.environ)
async def malformed_output(dut):
    """An output that ends early is noticed, at its first beat."""
    bench, rng = Bench(dut, "ideal"), np.random.default_rng(cocotb.RANDOM_SEED)
    await bench.start()
    job = random_job(rng, 1, 2, 2, rule=Rule.DENSE)
    bench.offer(job.commands(bench.place.place(job)))
    await bench.steps(1000)
    n_beats = job.q[0].size // PARAMS.out_lanes
    assert bench.errors["malformed"].sum == n_beats - 1


@cocotb.test()
@cocotb.parametrize(response=[Response.SLVERR, Response.DECERR])
async def bus_errors(dut, response):
    """Each is told, once a bus word of a read, once a burst of a write; the lane goes on."""
    bench, rng = Bench(dut, "erratic"), np.random.default_rng(cocotb.RANDOM_SEED)
    await bench.start()
    job = random_job(rng, 2, 3, 3, rule=Rule.DENSE)
    places = bench.place.place(job)
    bench.memory.faults = {places[plane][0]: response for plane in ("q_integer", "k_fraction", "value", "output")}
    bench.offer(job.commands(places))
    await bench.sink.collect(2, 10_000)
    assert {name: total.sum for name, total in bench.errors.items()} == {
        "read_error": 3,
        "write_error": 1,
        "malformed": 0,
    }


@pytest.mark.parametrize(
    ("lane", "simulator"),
    [("narrow", "verilator"), ("wide", "verilator"), pytest.param("narrow", "icarus", marks=pytest.mark.slow)],
)
def test_core_lane(lane, simulator):
    simulate(CoreLane(LANES[lane]), __name__, simulator, name=f"core_lane_{lane}", plusenv={"HDP_LANE": lane})


def test_faulty_core():
    lane = CoreLane(PARAMS)
    lane.core = FaultyCore(PARAMS)
    simulate(
        lane, __name__, "icarus", name="core_lane_faulty", plusenv={"HDP_FAULTY": "1"}, testcase="malformed_output"
    )
