"""The driver on the simulated hdp_top: jobs, real layers, and memories that stall, fail and fall silent."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hdp_hw.driver import (
    BusBackend,
    Emulator,
    HdpDriver,
    JobError,
    NoAnswer,
)
from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.errors import HdpError, SimulationError
from hdp_hw.driver.layer import LayerSettings
from hdp_hw.driver.memory_layout import JobLayout
from hdp_hw.golden.bits.shell.job import attend_heads
from hdp_hw.golden.cycles.shell.job import INTERRUPT_LATENCY, START_LATENCY
from hdp_hw.golden.stimulus import random_head
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.simulation import MemoryTiming, SimulatedBus, Simulation
from hdp_hw.simulation.simulated_bus import SILENT
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import Rule
from tb.lib.simulation import MODELS, ROOT
from tb.model.test_bus_backend import (  # noqa: F401  they run here with this file's bus_class
    LAYER,
    TINY,
    K,
    Q,
    V,
    read,
    same,
    test_every_rule,
    test_jobs_follow_each_other,
    test_timeout_of_the_coprocessor,
    test_unsuitable_buffer,
)
from tb.model.test_driver import captured_layer
from tb.model.test_driver_guide import example_of_the_readme

BEFORE_AND_AFTER = START_LATENCY + INTERRUPT_LATENCY - 1  #: clock cycles that the counter leaves out
IDEAL = MemoryTiming()
EXPECTED = HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER)


@pytest.fixture
def bus_class():
    return partial(SimulatedBus, cache=MODELS)


@pytest.fixture
def simulation():
    return Simulation("tiny", cache=MODELS)


def equal(params, tensors, layer, timing=IDEAL, **more):
    """Statistics of a layer that gives the emulator's bits and statistics in the simulation, and its clock cycles."""
    simulation = Simulation(params, cache=MODELS, timing=timing, **more)
    emulator = Emulator(params, timing.read_latency, timing.write_latency)
    run, expected = (HdpDriver(each).attend(*tensors, layer) for each in (simulation, emulator))
    same(run, expected)
    if timing == MemoryTiming(timing.read_latency, timing.write_latency):
        assert run[1].cycles == expected[1].cycles
    else:
        assert run[1].cycles >= expected[1].cycles  # a stall may hide behind the array
    assert simulation.bus.job_cycles == run[1].cycles + BEFORE_AND_AFTER
    return run[1]


# -- layers -----------------------------------------------------------------------------------------------------------
def test_example_of_the_readme(monkeypatch):
    """The same five lines on the emulator and on the simulation."""
    monkeypatch.chdir(ROOT)  # where compiled models are kept
    emulated, simulated = (example_of_the_readme(backend) for backend in ("emulator", "simulation"))
    same((simulated["output"], simulated["statistics"]), (emulated["output"], emulated["statistics"]))


@pytest.mark.parametrize(
    ("rule", "threshold", "more", "n_cores"),
    [
        ("row_threshold", -0.3, {"compensate": True}, 1),
        ("margin", 1.0, {"tau_head": 12.0, "mean_output": True}, 1),
        ("mass", 0.05, {"tau_head": 12.0, "min_keep": 0.05, "compensate": True}, 1),
        ("mass", 0.05, {"tau_head": 12.0, "min_keep": 0.05, "compensate": True}, 2),
        ("dense", None, {}, 1),
    ],
)
def test_real_layer(rule, threshold, more, n_cores):
    """A whole layer of MiniLM: 12 heads of 128 tokens that differ in their scales."""
    *tensors, scales = captured_layer("lighthouse.")
    layer = LayerSettings(**scales, rule=rule, threshold=threshold, **more)
    statistics = equal(replace(TINY, n_cores=n_cores), tensors, layer)
    assert len(statistics.verdicts) == 12
    assert bool(statistics.pruned_heads) == ("tau_head" in more) and bool(statistics.fallbacks) == ("min_keep" in more)


def test_two_cores_take_half_the_time():
    layer = LayerSettings.fit(Q, K, V, rule="dense")
    tensors = (np.repeat(x[:1], 8, 0) for x in (Q, K, V))
    tensors = [np.resize(x, (8, 64, 32)) for x in tensors]
    one, two = (equal(replace(TINY, n_cores=n), tensors, layer).cycles for n in (1, 2))
    assert one / two > 1.9


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        CONFIGS["edge"],
        HdpParams(lanes=4, digit_width=8, bus_width=128, address_width=64),
        HdpParams(tile=4, lanes=4, bus_width=32, address_width=32, n_cores=2),
    ],
)
def test_other_parameters(params):
    equal(params, (Q, K, V), LAYER, timing=MemoryTiming(7, 9, r=0.2))


def random_jobs(rng, params, n):
    """LayerJobs of any shape, rule and verdict."""
    for _ in range(n):
        n_heads, n_q, n_k = (int(rng.integers(1, end)) for end in (10, 12 * params.tile, 12 * params.tile))
        d = params.slice_width * int(rng.integers(1, params.max_slices + 1))
        rule, threshold = Rule(int(rng.integers(0, 4))), float(rng.choice([0.02, 0.1]))
        more = {"tau_head": float(rng.choice([0, 0, 1.5, 100])), "min_keep": float(rng.choice([0, 0, 0.2]))}
        if not (causal := bool(rng.random() < 0.2)):
            more |= {name: bool(rng.random() < 0.5) for name in ("compensate", "mean_output")}
        heads = [random_head(rng, n_q, n_k, d, rng.uniform(0.5, 3)) for _ in range(n_heads)]
        q, k, v = (np.array(x) for x in zip(*(head.quantised(params) for head in heads)))
        settings = [head.settings(params, rule, threshold, causal=causal, **more) for head in heads]
        shared = int(rng.integers(1, n_heads + 1))
        yield LayerJob(q, k[:shared], v[:shared], tuple(settings if rng.random() < 0.5 else settings[:1] * n_heads))


@pytest.mark.parametrize("n_cores", [1, 2])
def test_cycles_of_random_jobs(n_cores):
    """From start bit to interrupt, for memories of any latency."""
    params, rng = replace(TINY, n_cores=n_cores), np.random.default_rng(int(os.environ.get("HDP_SEED", "1")))
    simulation = Simulation(params, cache=MODELS)
    for job in random_jobs(rng, params, 30):
        latencies = [int(rng.choice([1, 2, 20, 60, 120])) for _ in range(2)]
        simulation.bus.timing = MemoryTiming(*latencies)
        simulation.reset()
        run, emulator = simulation.run(job), Emulator(params, *latencies)
        results = attend_heads(job.q, job.k, job.v, job.settings, params)
        np.testing.assert_array_equal(run.output, [result.output for result in results])
        cycles = emulator.cycles(job, results)
        what = f"{job.q.shape} x {job.k.shape}, {job.settings[0]}, latencies {latencies}"
        assert (simulation.bus.job_cycles, run.counters["cycles"]) == (
            cycles.interrupt,
            cycles.counters["cycles"],
        ), what


# -- memories ---------------------------------------------------------------------------------------------------------
def test_latency_costs_time():
    costs = [equal(TINY, (Q, K, V), LAYER, timing=MemoryTiming(n, n)).cycles for n in (1, 20, 100)]
    assert costs == sorted(set(costs))


@pytest.mark.parametrize("channel", ["ar", "r", "aw", "w", "b"])
def test_stalls(channel):
    timing = MemoryTiming(3, 3, **{channel: 0.6})
    assert equal(TINY, (Q, K, V), LAYER, timing=timing) == equal(TINY, (Q, K, V), LAYER, timing=timing), "seeded"
    equal(TINY, (Q, K, V), LAYER, timing=timing, seed=2)


# -- faults -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("region", ["q_integer", "k_fraction", "value", "table", "record", "output"])
def test_bus_errors(simulation, region, response):
    """The driver names the sticky bit, and the next job is right."""
    layer = replace(LAYER, threshold=(0.5, 1.0, 2.0))
    job, _ = prepare(Q, K, V, layer, TINY)
    place, bus, driver = JobLayout.of(job, TINY).regions[region], simulation.bus, HdpDriver(simulation)
    bus.fail(bus.memory.address + place.offset + place.n_bytes - 8, 8, read=response, write=response)
    bit = "write_error" if region in ("record", "output") else "read_error"
    with pytest.raises(JobError, match=rf"IRQ_STATUS\.{bit} in job 1, head \d: The memory answered") as error:
        driver.attend(Q, K, V, layer)
    assert error.value.bits == (bit,)
    bus.fail(0, 0)
    same(driver.attend(Q, K, V, LAYER), EXPECTED)


def test_buffer_ends(simulation):
    """Beyond the buffer there is DECERR."""
    layout = JobLayout.of(prepare(Q, K, V, LAYER, TINY)[0], TINY)
    size = layout.regions["record"].offset  # records come last
    short = SimulatedBus(TINY, size, cache=MODELS)
    write = short.memory.write
    short.memory.size = layout.size  # as the driver believes
    short.memory.write = lambda offset, content: write(offset, content[: max(0, size - offset)])
    with pytest.raises(JobError, match=r"IRQ_STATUS\.write_error"):
        HdpDriver(BusBackend(short)).attend(Q, K, V, LAYER)


def test_memory_that_falls_silent(simulation):
    """A time-out in clock cycles frees the core, an abort after a time-out of the driver does, and so does a reset."""
    driver, bus = HdpDriver(simulation), simulation.bus
    bus.timing = SILENT
    with pytest.raises(JobError, match=r"IRQ_STATUS\.timeout in job 1"):
        driver.attend(Q, K, V, replace(LAYER, timeout_cycles=5000))
    simulation.seconds = 0.05
    with pytest.raises(NoAnswer, match=r"no interrupt within 0.05 s of a job of 3 heads; it was aborted"):
        driver.attend(Q, K, V, replace(LAYER, timeout_cycles=0))
    simulation.seconds = 60
    bus.timing = MemoryTiming()
    same(driver.attend(Q, K, V, LAYER), EXPECTED)


def test_late_writes(simulation, monkeypatch):
    """The buffer is not filled again while a job that was stopped may still write to it."""
    monkeypatch.setattr("hdp_hw.driver.bus_backend.STOP_SECONDS", 0.05)
    driver, bus = HdpDriver(simulation), simulation.bus
    bus.timing = MemoryTiming(w=1.0)
    with pytest.raises(JobError, match=r"IRQ_STATUS\.timeout in job 1"):
        driver.attend(Q, K, V, replace(LAYER, timeout_cycles=5000))
    with pytest.raises(NoAnswer, match="the memory has not acknowledged all writes of a job that was stopped"):
        driver.attend(Q, K, V, LAYER)
    before = bus.memory.array.copy()
    bus.timing = MemoryTiming()
    bus.run(1000)
    assert (bus.memory.array != before).any()
    same(driver.attend(Q, K, V, LAYER), EXPECTED)


def test_busy(simulation):
    driver, bus = HdpDriver(simulation), simulation.bus
    driver.attend(Q, K, V, LAYER)
    bus.write32(BY_NAME["CONTROL"].address, 1)  # somebody else runs the job again
    with pytest.raises(HdpError, match=r"has another job: wait for its end, or reset\(\) this back end"):
        driver.attend(Q, K, V, LAYER)
    simulation.reset()
    same(driver.attend(Q, K, V, LAYER), EXPECTED)


def test_reset_in_mid_burst(simulation):
    """By aresetn."""
    driver, bus = HdpDriver(simulation), simulation.bus
    driver.attend(Q, K, V, LAYER)
    bus.write32(BY_NAME["CONTROL"].address, 1)
    bus.run(60)
    assert read(bus, "STATUS") & 1
    bus.reset()
    assert read(bus, "STATUS") & 1 == 0
    same(driver.attend(Q, K, V, LAYER), EXPECTED)


def test_register_that_is_not_there(simulation):
    with pytest.raises(SimulationError, match="register 0xffc answered SLVERR"):
        simulation.bus.read32(0xFFC)
    with pytest.raises(SimulationError, match="register 0x0 answered SLVERR"):
        simulation.bus.write32(0, 1)


# -- what is said of it -----------------------------------------------------------------------------------------------
def test_backends_by_name():
    assert isinstance(HdpDriver().backend, Emulator) and HdpDriver().backend.params == CONFIGS["edge"]
    with pytest.raises(ParameterError, match="backend = 'fpga' is not legal; legal: emulator, simulation or a Backend"):
        HdpDriver("fpga")


def test_no_cocotb():
    script = "import sys; from hdp_hw.simulation import Simulation; Simulation('tiny'); print('cocotb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True).stdout == "False\n"
