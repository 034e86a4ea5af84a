"""Linear layers on the simulated co-processor: bits, records and all counters, clock cycles among them."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, JobError
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.settings import Rule
from tb.lib.linear_layers import random_job
from tb.lib.runs import same
from tb.lib.simulation import MODELS
from tb.model.test_bus_backend import LAYER, K, Q, V

PARAMS = replace(CONFIGS["tiny"], encoder=1)


def of_every_kind(params, latency, n=10):
    rng = np.random.default_rng([latency, params.n_cores, params.bus_width])
    simulation = Simulation(params, cache=MODELS, timing=MemoryTiming(latency, latency))
    emulator = Emulator(params, latency, latency)
    jobs = [random_job(rng, params) for _ in range(n)]
    for job in jobs:
        same(simulation, emulator, job)
    kinds = {(job.settings[0].words, job.settings[0].activation) for job in jobs}
    assert len(kinds) > 3


@pytest.mark.parametrize("latency", [1, 20])
def test_one_core(latency):
    of_every_kind(PARAMS, latency)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cores", "bus_width"), [(2, 32), (2, 128), (3, 64)])
def test_cores_and_buses(n_cores, bus_width):
    of_every_kind(replace(PARAMS, n_cores=n_cores, bus_width=bus_width), 7)


@pytest.mark.slow
def test_edge():
    of_every_kind(replace(CONFIGS["edge"], encoder=1), 20)


def test_between_attention():
    """Layers of both kinds take turns; attention gives what a co-processor without linear layers gives."""
    rng = np.random.default_rng(5)
    simulation, emulator = Simulation(PARAMS, cache=MODELS), Emulator(PARAMS)
    expected = HdpDriver(Emulator(CONFIGS["tiny"])).attend(Q, K, V, LAYER)
    for _ in range(3):
        output, statistics = HdpDriver(simulation).attend(Q, K, V, LAYER)
        np.testing.assert_array_equal(output, expected[0])
        assert statistics.verdicts == expected[1].verdicts
        assert statistics.cycles == HdpDriver(emulator).attend(Q, K, V, LAYER)[1].cycles
        same(simulation, emulator, random_job(rng, PARAMS))


@pytest.mark.parametrize(
    "change",
    [
        {"rule": Rule.MASS},
        {"causal": True},
        {"compensate": True},
        {"n_k": 2},
        {"n_q": 2 * PARAMS.max_rows(16)},
        {"head_dim": PARAMS.max_inputs + 4},
        {"linear": False},
        {"activation": 3},
    ],
    ids=str,
)
def test_what_the_hardware_refuses(change):
    """Settings that no driver would write end the job with an error, and the next job is none the worse."""
    rng = np.random.default_rng(6)
    simulation = Simulation(PARAMS, cache=MODELS)
    job = random_job(rng, PARAMS)
    while job.settings[0].activation == Activation.NONE or not job.settings[0].words:
        job = random_job(rng, PARAMS)
    settings = tuple(replace(of, **change) for of in job.settings)
    with pytest.raises(JobError, match="bad_settings"):
        simulation.run(replace(job, settings=settings, table=None))
    same(simulation, Emulator(PARAMS), job)


def test_core_without_linear_layers():
    job = random_job(np.random.default_rng(7), PARAMS, 1)
    with pytest.raises(JobError, match="bad_settings"):
        Simulation(CONFIGS["tiny"], cache=MODELS).run(job)


def test_emulator_refuses():
    with pytest.raises(ValueError, match="legal: 0 on a core of encoder = 0"):
        Emulator(CONFIGS["tiny"]).run(random_job(np.random.default_rng(7), PARAMS, 1))
