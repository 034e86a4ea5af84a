"""Jobs that follow from memory, on the simulated co-processor: bits, records, counters, and how a chain ends."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, JobError
from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.bus_backend import job_registers
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.memory_layout import JobLayout, descriptor, pack_job, unpack_run
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.simulation.random_norms import random_norm
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, REGION_ALIGNMENT
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.linear_layers import random_job
from tb.lib.simulation import MODELS
from tb.model.test_bus_backend import LAYER, K, Q, V

PARAMS = replace(CONFIGS["tiny"], encoder=1)


def jobs_of(rng, params, n):
    """Linear layers and attention, with operands or digit planes as results, one of each with a norm, and a norm alone,
    in random places of the chain."""
    attention = prepare(Q, K, V, LAYER, params)[0]
    jobs = [random_job(rng, params) for _ in range(n - 3)] + [attention, replace(attention, planes=True)]
    jobs[0], jobs[-1] = (replace(job, norm=random_norm(rng, params)) for job in (jobs[0], jobs[-1]))
    jobs.append(LayerJob.of_norm(random_norm(rng, params)))
    return [jobs[index] for index in rng.permutation(n)]


def chained(simulation, jobs, registers=None):
    """Put all jobs but the first in memory; returns the jobs with their chain, and their layouts and places.

    registers : ``{number of a job: {register: word}}`` that differ.
    """
    params, memory = simulation.params, simulation.bus.memory
    layouts = [JobLayout.of(job, params) for job in jobs]
    places = np.cumsum([0, *(layout.size for layout in layouts)]).tolist()
    descriptors = [places[-1] + REGION_ALIGNMENT * number for number in range(len(jobs))]
    following = [memory.address + offset for offset in descriptors[1:]] + [0]
    jobs = [replace(job, chain=chain) for job, chain in zip(jobs, following)]
    for number, (job, layout, place, at) in enumerate(zip(jobs, layouts, places, descriptors)):
        for name, content in pack_job(job, params, memory.address + place).items():
            memory.write(place + layout.regions[name].offset, content)
        words = job_registers(job, layout, memory.address + place, 100 + number, params)
        memory.write(at, descriptor(words | (registers or {}).get(number, {})))
    return jobs, layouts, places


def of_chain(params, latency, seed, n=6):
    """A chain's results and counters are those of its jobs."""
    rng = np.random.default_rng([latency, params.n_cores, params.bus_width, seed])
    simulation = Simulation(params, cache=MODELS, timing=MemoryTiming(latency, latency))
    emulator = Emulator(params, latency, latency)
    jobs, layouts, places = chained(simulation, jobs_of(rng, params, n))
    done = simulation._read("STATUS")["jobs_done"]
    counters = simulation.run(jobs[0]).counters
    assert simulation._read("STATUS")["jobs_done"] == done + n
    assert simulation._read("LAST_JOB") == {"job": 99 + n, "failed": 0}
    expected = [emulator.run(job) for job in jobs]
    for job, layout, place, run in zip(jobs, layouts, places, expected):
        regions = {name: replace(region, offset=region.offset + place) for name, region in layout.regions.items()}
        moved = JobLayout(regions, 0)
        got = unpack_run(job, params, partial(simulation._region, moved))
        np.testing.assert_array_equal(got.output, run.output)
        assert got.heads == run.heads
        for of_norm, golden in zip(got.norm or (), run.norm or (), strict=True):
            np.testing.assert_array_equal(of_norm, golden)
    for name in counters:
        assert counters[name] == sum(run.counters.get(name, counters[name]) for run in expected) or name.startswith(
            "stall"
        ), name


@pytest.mark.parametrize("latency", [1, 20])
def test_chain(latency):
    of_chain(PARAMS, latency, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cores", "bus_width"), [(2, 32), (2, 128), (3, 64)])
def test_cores_and_buses(n_cores, bus_width):
    of_chain(replace(PARAMS, n_cores=n_cores, bus_width=bus_width), 7, 2, n=10)


@pytest.mark.parametrize(
    ("register", "word", "event"),
    [("HEAD_DIM", 3, "bad_settings"), ("CHAIN_LOW", 4, "misaligned"), ("OUTPUT_LOW", 0, "write_error")],
)
def test_a_failure_ends_a_chain(register, word, event):
    rng, simulation = np.random.default_rng(3), Simulation(PARAMS, seconds=60, cache=MODELS)
    with_heads = sorted(jobs_of(rng, PARAMS, 4), key=lambda job: not job.settings)  # ahead of that without
    jobs, *_ = chained(simulation, with_heads, {2: {register: word}})
    with pytest.raises(JobError, match=event):
        simulation.run(jobs[0])
    assert simulation._read("LAST_JOB") == {"job": 102, "failed": 1}
    assert not simulation._read("STATUS")["busy"]
    output, _ = HdpDriver(simulation).attend(Q, K, V, LAYER)  # and the next job runs, without a chain
    np.testing.assert_array_equal(output, HdpDriver(Emulator(PARAMS)).attend(Q, K, V, LAYER)[0])


def test_a_descriptor_that_cannot_be_read():
    rng, simulation = np.random.default_rng(4), Simulation(PARAMS, seconds=60, cache=MODELS)
    jobs, *_ = chained(simulation, jobs_of(rng, PARAMS, 3), {1: {"CHAIN_LOW": 0x10}})
    with pytest.raises(JobError, match="read_error"):
        simulation.run(jobs[0])


def test_interrupt_comes_once():
    rng, simulation = np.random.default_rng(5), Simulation(PARAMS, seconds=60, cache=MODELS)
    jobs, layouts, _ = chained(simulation, jobs_of(rng, PARAMS, 3))
    base = simulation.bus.memory.address
    for name, word in job_registers(jobs[0], layouts[0], base, 1, PARAMS).items():
        simulation.bus.write32(BY_NAME[name].address, word)
    simulation._write("IRQ_ENABLE", value=1)
    simulation._write("CONTROL", start=1)
    done = []
    while not simulation.bus.wait(0.01):
        done.append(simulation._read("STATUS")["jobs_done"])
        assert simulation._read("STATUS")["busy"]
    assert simulation._read("STATUS")["jobs_done"] == 3 and not simulation._read("STATUS")["busy"]
    assert not simulation._failures()


def test_descriptors_are_whole_bus_words():
    assert DESCRIPTOR_BYTES % (128 // 8) == 0
    end = BY_NAME["CHAIN_HIGH"].address + 4 - BY_NAME["JOB_ID"].address
    assert end <= DESCRIPTOR_BYTES < end + 128 // 8
