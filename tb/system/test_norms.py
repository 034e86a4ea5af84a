"""Norms beside jobs and alone, on the simulated co-processor: bits and all counters, clock cycles among them."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, JobError
from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.memory_layout import JobLayout
from hdp_hw.encoder.jobs import Affine, Norm
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.simulation.random_norms import random_norm
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from tb.lib.linear_layers import random_job
from tb.lib.runs import same
from tb.lib.simulation import MODELS
from tb.model.test_bus_backend import LAYER, K, Q, V

PARAMS = replace(CONFIGS["tiny"], encoder=1)


def of_every_kind(params, latency, n=8):
    rng = np.random.default_rng([latency, params.n_cores, params.bus_width])
    simulation = Simulation(params, cache=MODELS, timing=MemoryTiming(latency, latency))
    emulator = Emulator(params, latency, latency)
    for _ in range(n):
        norm = random_norm(rng, params)
        same(simulation, emulator, LayerJob.of_norm(norm))
        same(simulation, emulator, replace(random_job(rng, params), norm=norm))


@pytest.mark.parametrize("latency", [1, 20])
def test_one_core(latency):
    of_every_kind(PARAMS, latency)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cores", "bus_width"), [(2, 32), (2, 128), (3, 64)])
def test_cores_and_buses(n_cores, bus_width):
    of_every_kind(replace(PARAMS, n_cores=n_cores, bus_width=bus_width), 7)


@pytest.mark.slow
def test_edge():
    of_every_kind(replace(CONFIGS["edge"], encoder=1), 20, n=4)


@pytest.fixture(scope="module")
def simulation():
    return Simulation(PARAMS, cache=MODELS)


class Beside:
    """A back end whose jobs all have a norm, and whose runs are the emulator's."""

    def __init__(self, simulation, norm):
        self.params, self.simulation, self.norm = simulation.params, simulation, norm

    def run(self, job):
        return same(self.simulation, Emulator(self.params), replace(job, norm=self.norm))


def test_beside_attention(simulation):
    """Output and heads are as without."""
    norm = random_norm(np.random.default_rng(2), PARAMS, n=32, rows=2)
    output, statistics = HdpDriver(Beside(simulation, norm)).attend(Q, K, V, LAYER)
    expected = HdpDriver(Emulator(PARAMS)).attend(Q, K, V, LAYER)
    np.testing.assert_array_equal(output, expected[0])
    assert statistics.verdicts == expected[1].verdicts


@pytest.mark.parametrize("two_streams", [False, True])
@pytest.mark.parametrize("post_norm", [False, True])
def test_norm_of_a_model(simulation, two_streams, post_norm):
    """What a norm of hdp_hw.encoder computes."""
    rng = np.random.default_rng([two_streams, post_norm])
    words, operands = (Affine(*rng.integers(-3000, 3000, (2, 48)), 11) for _ in range(2))
    norm = Norm(words if post_norm else None, operands, a=20000, b=30000 * two_streams, epsilon=1 << 20)
    x, y = rng.integers(-(1 << 15), 1 << 15, (2, 5, 48))
    streams = (x, y) if two_streams else (x,)
    run = simulation.run(LayerJob.of_norm(norm.job(*streams)))
    for got, golden in zip(run.norm, norm(*streams), strict=True):
        np.testing.assert_array_equal(got, golden)


def test_reading_and_writing_cost_no_time(simulation):
    """A row takes what Norm takes: 2 n + 67 + e clock cycles, e up to 28."""
    emulator, n = Emulator(PARAMS), 200
    norm = random_norm(np.random.default_rng(3), PARAMS, n=n, rows=12, b=5, words=True, operands=True)
    shorter = replace(norm, x=norm.x[:-1], y=norm.y[:-1])
    runs = [same(simulation, emulator, LayerJob.of_norm(each)) for each in (shorter, norm)]
    row = runs[1].counters["cycles"] - runs[0].counters["cycles"]
    assert 2 * n + 67 <= row <= 2 * n + 67 + 28


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("change", [{"shift": 7}, {"words": False, "operands": False}], ids=str)
def test_what_the_hardware_refuses(simulation, change, beside):
    """A descriptor that no driver would write ends the job with an error, and the next job is none the worse."""
    rng = np.random.default_rng(4)
    norm = random_norm(rng, PARAMS)
    job = replace(random_job(rng, PARAMS, 3), norm=norm) if beside else LayerJob.of_norm(norm)
    with pytest.raises(JobError, match=f"bad_settings in job [0-9]+, head {len(job.settings)}"):
        simulation.run(replace(job, norm=replace(norm, **change)))
    same(simulation, Emulator(PARAMS), job)


@pytest.mark.parametrize(
    ("region", "bit"),
    [
        ("norm", "read"),
        ("norm_x", "read"),
        ("norm_scales", "read"),
        ("norm_words", "write"),
        ("norm_fraction", "write"),
    ],
)
def test_bus_errors(simulation, region, bit):
    rng = np.random.default_rng(5)
    job = replace(random_job(rng, PARAMS), norm=random_norm(rng, PARAMS, words=True, operands=True))
    place = JobLayout.of(job, PARAMS).regions[region]
    simulation.bus.fail(simulation.bus.memory.address + place.offset, 1, Response.SLVERR, Response.SLVERR)
    with pytest.raises(JobError, match=f"{bit}_error"):
        simulation.run(job)
    simulation.bus.fail(0, 0)
    same(simulation, Emulator(PARAMS), job)


def test_without_encoder():
    job = LayerJob.of_norm(random_norm(np.random.default_rng(6), PARAMS))
    with pytest.raises(ParameterError, match="norm = 'a NormJob' is not legal; legal: None on a co-processor"):
        Emulator(CONFIGS["tiny"]).run(job)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"x": np.zeros((129, 8), int)}, r"norm\.x\.shape\[0\] = 129 is not legal; legal: 1 to 128"),
        ({"x": np.zeros((3, 1), int)}, r"norm\.x\.shape\[1\] = 1 is not legal; legal: 2 to 512"),
        ({"y": np.zeros((2, 8), int)}, r"norm\.y = 'int64 \(2, 8\)' is not legal; legal: integers \(3, 8\)"),
        ({"y": None, "b": 3}, r"norm\.b = 3 is not legal; legal: 0 to 0"),
        ({"scales": np.full((8, 4), 1 << 15)}, r"norm\.scales = 32768 is not legal; legal: -32768 to 32767"),
        ({"epsilon": 1 << 54}, r"norm\.epsilon"),
        ({"operand_shift": 16}, r"norm\.operand_shift = 16 is not legal; legal: 8 to 15"),
        ({"words": False, "operands": False}, r"norm\.words = False is not legal; legal: True without operands"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_the_emulator_refuses(change, text):
    norm = random_norm(np.random.default_rng(7), PARAMS, n=8, rows=3, b=1)
    with pytest.raises(ParameterError, match=text):
        Emulator(PARAMS).run(LayerJob.of_norm(replace(norm, **change)))
