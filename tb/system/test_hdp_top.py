"""The co-processor through its AXI ports: memory in, memory out, registers, interrupt."""

import os
import random
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.stimulus import captured_heads, random_head
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.shell.read_arbiter import EPOCH_WIDTH
from hdp_hw.simulation.illegal_words import illegal_words
from hdp_hw.spec.configs import load_config
from hdp_hw.spec.formats import MATRICES
from hdp_hw.spec.settings import Rule, Verdict
from tb.lib.axi_memory import Memory, ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.axi_write_memory import WriteChecker, WriteModel, WriteTiming, serve_writes
from tb.lib.faulty_core import FaultyCore
from tb.lib.lockstep import start
from tb.lib.simulation import SIMULATORS, simulate
from tb.lib.top_bench import TopBench, TopJob

CONFIG, _, OVERRIDES = os.environ.get("HDP_CONFIG", "tiny").partition(" ")
PARAMS = load_config(CONFIG, [override.split("=") for override in OVERRIDES.split()])[1]
BASE = 0x1000_0000
READS, WRITES = ReadTiming(), WriteTiming()  # of a memory that never stalls


async def begin(dut, reads=READS, writes=WRITES, size=1 << 20):
    """A top out of reset; its bench, and checkers and models of the memory at its port, of reads and of writes.

    ``latencies`` of the bench are those of a memory that never stalls.
    """
    memory = Memory(size, BASE)
    await start(dut)
    rng = random.Random(cocotb.RANDOM_SEED)
    checkers = ReadChecker(PARAMS.bus_bytes), WriteChecker(PARAMS.bus_bytes)
    models = ReadModel(memory, PARAMS.bus_bytes, reads, rng), WriteModel(memory, PARAMS.bus_bytes, writes, rng)
    cocotb.start_soon(serve_reads(dut, models[0], checkers[0], "m_axi"))
    cocotb.start_soon(serve_writes(dut, models[1], checkers[1], "m_axi"))
    bench = TopBench(dut, PARAMS, memory)
    if (reads, writes) == (ReadTiming(reads.latency), WriteTiming(writes.latency)):
        bench.latencies = reads.latency, writes.latency
    await bench.write("IRQ_ENABLE", 0x7FF)
    return bench, checkers, models


def layer(heads, rule=Rule.MASS, threshold=0.05, n_kv_heads=None, **more):
    """A TopJob of real or synthetic heads of one length, with the settings of each."""
    q, k, v = (np.array(x) for x in zip(*(head.quantised(PARAMS) for head in heads)))
    names = {"job_id", "gap", "table", "records", "timeout", "registers"}
    options = {name: more.pop(name) for name in names & set(more)}
    settings = [head.settings(PARAMS, rule, threshold, **more) for head in heads]
    if not options.get("table"):
        settings = [settings[0]] * len(settings)
    n_kv_heads = n_kv_heads or len(heads)
    return TopJob(settings, q, k[:n_kv_heads], v[:n_kv_heads], **options)


def random_layer(rng, n_heads, n_q, n_k, d=None, **more):
    d = d or PARAMS.max_head_dim
    return layer([random_head(rng, n_q, n_k, d, 2.0) for _ in range(n_heads)], **more)


async def wait_for_end(bench, timeout=60_000):
    """All events up to job_done."""
    happened = set()
    while "job_done" not in happened:
        happened |= await bench.wait(timeout)
    return happened


async def run(bench, job, events=("job_done",), **timeout):
    """Run a job and compare output, records, traffic and, unless the memory stalls, clock cycles with golden models."""
    names = ("BYTES_READ", "BYTES_UNMASKED", "TILES_KEPT", "HEADS", "CYCLES")
    before = {name: await bench.counter(name) for name in names}
    places = bench.place(job)
    await bench.program(job, places)
    await bench.start()
    happened = await wait_for_end(bench, **timeout)
    results = job.results(bench.params)
    fallback = {"fallback"} if any(result.verdict == Verdict.FALLBACK for result in results) else set()
    assert happened == set(events) | fallback, f"events {happened}"
    bench.check_output(job, places)
    counted = {name: await bench.counter(name) - count for name, count in before.items()}
    read_bytes, unmasked = bench.traffic(job, places, results)
    expected = {"BYTES_READ": read_bytes, "BYTES_UNMASKED": unmasked}
    expected |= {"TILES_KEPT": sum(result.n_kept for result in results), "HEADS": len(results)}
    expected |= {"CYCLES": bench.cycles(job, places, results) if bench.latencies else counted["CYCLES"]}
    assert counted == expected
    return counted


@cocotb.test()
async def first_light(dut):
    """One dense head."""
    bench, *_ = await begin(dut)
    await run(bench, random_layer(np.random.default_rng(1), 1, 8, 8, rule=Rule.DENSE))


@cocotb.test()
async def every_rule(dut):
    """Layers of a few heads under every rule and verdict, one after the other."""
    bench, *_ = await begin(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 4 * PARAMS.tile + 1
    for more in (
        {"rule": Rule.DENSE}, {"rule": Rule.MARGIN, "threshold": 1.0}, {"rule": Rule.MASS, "compensate": True},
        {"rule": Rule.ROW_THRESHOLD, "threshold": 0.3}, {"tau_head": 100.0}, {"tau_head": 100.0, "mean_output": True},
        {"min_keep": 1.0, "threshold": 0.3}, {"causal": True}, {"gap": PARAMS.bus_bytes}, {"table": True},
        {"n_kv_heads": 2}, {"records": False},
    ):  # fmt: skip
        await run(bench, random_layer(rng, 4, n, n + 2, **more))


# -- memory that stalls, and memory that fails -------------------------------------------------------------------------
SLOW = {
    "reads": ReadTiming(latency=(1, 60), ar_stall=0.3, r_stall=0.3, reorder=True, interleave=True),
    "writes": WriteTiming(latency=(1, 60), aw_stall=0.3, w_stall=0.3, b_stall=0.3, reorder=True),
}


@cocotb.test()
async def slow_memory(dut):
    """Random latencies and stalls on all five channels, responses in any order."""
    bench, *_ = await begin(dut, **SLOW)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for more in ({"compensate": True}, {"rule": Rule.DENSE, "gap": PARAMS.bus_bytes}):
        await run(bench, random_layer(rng, 3, 3 * PARAMS.tile, 4 * PARAMS.tile + 1, **more))


@cocotb.test()
async def bus_errors(dut):
    """SLVERR and DECERR on reads and writes anywhere: the sticky bit, and the next job is right."""
    bench, *_ = await begin(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 2 * PARAMS.tile
    for index, plane in enumerate(MATRICES):
        for response in (Response.SLVERR, Response.DECERR):
            job = random_layer(rng, 2, n, n, rule=Rule.DENSE, job_id=index)
            places = bench.place(job)
            address, _, head_stride = places[plane]
            fault = address + int(rng.integers(0, 2)) * head_stride
            bench.memory.faults = {fault: response}
            await bench.program(job, places)
            await bench.start()
            happened = await wait_for_end(bench)
            event = "write_error" if plane == "output" else "read_error"
            assert happened == {event, "job_done"}, f"{plane}: {happened}"
            assert await bench.read("LAST_JOB") == index | 1 << 16
            bench.memory.faults = {}
            bench.free = BASE
            await run(bench, random_layer(rng, 2, n, n, rule=Rule.DENSE))
            bench.free = BASE


@cocotb.test()
async def illegal_registers(dut):
    """Each job register, or table entry, beyond its bounds: the event, where it was, and the next job is right."""
    bench, *_ = await begin(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = PARAMS.tile + 1
    for name, value, event in illegal_words(PARAMS, n_heads=2):
        bench.free = BASE
        job = random_layer(rng, 2, n, n, registers={name: value})
        await bench.program(job, bench.place(job))
        await bench.start()
        happened = await wait_for_end(bench)
        assert happened == {event, "job_done"}, f"{name} = {value:#x}: {happened}"
    bench.free = BASE
    job = random_layer(rng, 3, n, n, job_id=77, table=True)
    job.settings[2] = replace(job.settings[2], min_keep=257)
    await bench.program(job, bench.place(job))
    await bench.start()
    assert await wait_for_end(bench) == {"bad_settings", "job_done"}
    bench.free = BASE
    await run(bench, random_layer(rng, 2, n, n))
    assert await bench.read("ERROR_INFO") == 77 | 2 << 16


@cocotb.test()
async def queue(dut):
    """Jobs that wait, one too many, and registers that change while a job runs."""
    bench, *_ = await begin(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 10 * PARAMS.tile  # long enough to run while the registers are written again
    jobs = [random_layer(rng, 4, n, n, rule=Rule.DENSE, job_id=index) for index in range(4)]
    places = [bench.place(job) for job in jobs]
    for job, place in zip(jobs[:3], places):
        await bench.program(job, place)
        await bench.start()
    await bench.program(jobs[3], places[3])
    assert (await bench.read("STATUS")) >> 1 & 7 == 0, "the queue has room"
    await bench.start()
    happened = set()
    while (await bench.read("STATUS")) & 1:
        happened |= await bench.wait()
    assert happened == {"job_done", "queue_full"}
    assert (await bench.read("STATUS")) >> 16 == 3
    for job, place in zip(jobs[:3], places):
        bench.check_output(job, place)


@cocotb.test()
async def abort_and_reset(dut):
    """Abort and soft reset at random moments, slow memory: the next job is right."""
    bench, checkers, _ = await begin(dut, **SLOW)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 3 * PARAMS.tile
    for turn in range(int(os.environ.get("HDP_TURNS", "12"))):
        bench.free = BASE
        job = random_layer(rng, 3, n, n, rule=Rule(int(rng.integers(0, 4))), threshold=0.1)
        await bench.program(job, bench.place(job))
        await bench.start()
        for _ in range(int(rng.integers(0, 1500))):
            await RisingEdge(dut.aclk)
        if turn % 2:
            await bench.write_fields("CONTROL", reset=1)
            while (await bench.read("STATUS")) & 1:
                pass
            await bench.write("IRQ_STATUS", 0x7FF)
            await bench.write("IRQ_ENABLE", 0x7FF)
        else:
            await bench.write_fields("CONTROL", abort=1)
            happened = await wait_for_end(bench)
            assert happened <= {"job_done", "aborted"}, happened
            assert not any(checker.pending for checker in checkers), "the memory is not done with the job"
        bench.free = BASE
        await run(bench, random_layer(rng, 2, n, n, compensate=True))


SILENT = {
    "ar": (ReadTiming(ar_stall=1.0), WRITES), "r": (ReadTiming(r_stall=1.0), WRITES),
    "aw": (READS, WriteTiming(aw_stall=1.0)), "w": (READS, WriteTiming(w_stall=1.0)),
    "b": (READS, WriteTiming(b_stall=1.0)),
}  # fmt: skip


@cocotb.test()
async def memory_that_does_not_answer(dut):
    """A time-out frees the core, even when epochs run out of names; a job during which answers come late is right."""
    bench, checkers, models = await begin(dut)
    bench.latencies = None  # a job waits for answers that come late
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 3 * PARAMS.tile

    async def wake_up():
        for _ in range(500):
            await RisingEdge(dut.aclk)
        models[0].timing, models[1].timing = READS, WRITES

    for channel, timings in SILENT.items():
        bench.free = BASE
        models[0].timing, models[1].timing = timings
        for turn in range(1 << EPOCH_WIDTH if channel == "r" else 1):
            job = random_layer(rng, 2, n, n, timeout=1000)
            await bench.program(job, bench.place(job))
            await bench.start()
            assert await wait_for_end(bench) == {"timeout", "job_done"}, f"{channel}, turn {turn}"
        cocotb.start_soon(wake_up())
        await run(bench, random_layer(rng, 2, n, n))
        assert not any(checker.pending for checker in checkers), channel


@cocotb.test()
async def faulty_core(dut):
    """An output that is malformed from head 0 on: core_error, and the job is over."""
    bench, *_ = await begin(dut)
    job = random_layer(np.random.default_rng(1), 2, 4, 4, rule=Rule.DENSE, job_id=5)
    await bench.program(job, bench.place(job))
    await bench.start()
    assert await wait_for_end(bench) == {"core_error", "job_done"}
    assert await bench.read("ERROR_INFO") == 5
    assert await bench.read("LAST_JOB") == 5 | 1 << 16


@cocotb.test()
async def real_layer(dut):
    """A whole layer of MiniLM, 12 heads, in two jobs: mass, compensated, then dense with half of the heads."""
    bench, *_ = await begin(dut, ReadTiming(latency=20), WriteTiming(latency=20))
    heads = [head for head in captured_heads(128) if (head.layer, head.name.split(".")[0]) == (2, "lighthouse")]
    heads = [head.cropped(int(os.environ.get("HDP_SEQ_LEN", "32"))) for head in heads]
    assert len(heads) == 12
    threshold, _ = threshold_for_share(heads, Rule.MASS, 0.25, PARAMS)
    await run(bench, layer(heads, threshold=threshold, compensate=True, table=True), timeout=400_000)
    await run(bench, layer(heads[:2], rule=Rule.DENSE), timeout=400_000)


# -- pytest ------------------------------------------------------------------------------------------------------------
JOBS = ["every_rule", "slow_memory", "real_layer"]
FAULTS = ["bus_errors", "illegal_registers", "queue", "abort_and_reset", "memory_that_does_not_answer"]
SMALL = {"lanes": 4, "max_head_dim": 16, "max_seq_len": 16}  # what Icarus simulates in seconds
OTHERS = (
    "tiny n_cores=2 bus_width=128",
    "tiny n_cores=4 bus_width=32",
    "paper tile=4 lanes=8 digit_width=8 bus_width=32 n_cores=2 max_seq_len=64",
)


def simulate_top(config, simulator, tests, part, **environment):
    label, *overrides = config.split()
    params = load_config(label, [override.split("=") for override in overrides])[1]
    # Icarus compiles in a moment and runs slowly, so its runs are kept apart; Verilator's share one build.
    folder = f"top_{config}_{part if simulator == 'icarus' else ''}".strip("_").replace(" ", "_").replace("=", "")
    environment = {"HDP_CONFIG": config, **environment}
    simulate(HdpTop(params), __name__, simulator, name=folder, top="hdp_top", plusenv=environment, testcase=tests)


@pytest.mark.parametrize(("part", "tests"), [("jobs", JOBS), ("faults", FAULTS)])
def test_hdp_top(part, tests):
    simulate_top("tiny", "verilator", tests, part)


def test_first_job_under_icarus():
    simulate_top("tiny", "icarus", ["first_light"], "first")


def test_faulty_core():
    """What a core does wrong ends the job."""
    top = HdpTop(replace(PARAMS, **SMALL))
    top.lanes[0].core = FaultyCore(top.params)
    environment = {"HDP_CONFIG": " ".join(["tiny", *(f"{name}={value}" for name, value in SMALL.items())])}
    simulate(top, __name__, "icarus", name="faulty_top", top="hdp_top", plusenv=environment, testcase="faulty_core")


@pytest.mark.slow
@pytest.mark.parametrize(("part", "tests"), [("jobs", JOBS[:2]), ("faults", FAULTS)])
def test_hdp_top_under_icarus(part, tests):
    simulate_top("tiny", "icarus", tests, part, HDP_TURNS="4")


@pytest.mark.slow
@pytest.mark.parametrize("config", OTHERS)
def test_other_tops(config):
    simulate_top(config, "verilator", [*JOBS, *FAULTS], "all")


@pytest.mark.slow
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_whole_layer_at_128(simulator):
    simulate_top("tiny", simulator, ["real_layer"], "layer", HDP_SEQ_LEN="128")


@pytest.mark.slow
def test_a_hundred_aborts():
    simulate_top("tiny", "verilator", ["abort_and_reset"], "aborts", HDP_TURNS="200")
