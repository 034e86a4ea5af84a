"""The golden model behind the register map: jobs through registers and memory are those of the emulator."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import BusBackend, Emulator, HdpDriver, JobError
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.linear_layers import random_job
from tb.model.test_bus_backend import LAYER, K, Q, V

PARAMS = replace(CONFIGS["tiny"], encoder=1)


def same(backend, job):
    """A job's output, records and counters; what the emulator does not count stays 0."""
    run, expected = backend.run(job), Emulator(backend.params).run(job)
    np.testing.assert_array_equal(run.output, expected.output)
    assert run.heads == expected.heads
    assert run.counters == dict.fromkeys(run.counters, 0) | expected.counters


@pytest.mark.parametrize(
    "more",
    [
        {"rule": "row_threshold", "threshold": -0.3, "compensate": True, "min_keep": 0.9},
        {"rule": "margin", "threshold": (0.5, 1.0, 2.0), "tau_head": 9.0, "mean_output": True},
        {"rule": "mass", "threshold": 0.05, "causal": True},
        {"rule": "dense"},
    ],
)
@pytest.mark.parametrize("planes", [False, True])
def test_attention(more, planes):
    job = prepare(Q, K, V, replace(LAYER, **more), PARAMS)[0]
    same(BusBackend(EmulatedBus(PARAMS)), replace(job, planes=planes))


@pytest.mark.parametrize("params", [HdpParams(lanes=4, digit_width=8, bus_width=128), CONFIGS["edge"]])
def test_other_cores(params):
    same(BusBackend(EmulatedBus(params)), prepare(Q[..., :16], K[..., :16], V[..., :16], LAYER, params)[0])


def test_linear_layers():
    rng, backend = np.random.default_rng(1), BusBackend(EmulatedBus(PARAMS))
    for _ in range(12):
        same(backend, random_job(rng, PARAMS))


@pytest.mark.parametrize(
    ("register", "word", "bit"),
    [
        ("N_HEADS", 0, "bad_settings"),
        ("N_KV_HEADS", 0, "bad_settings"),
        ("N_KV_HEADS", 9, "bad_settings"),
        ("HEAD_DIM", 3, "bad_settings"),
        ("N_Q", 0, "bad_settings"),
        ("MODE", 1 << 7 | 1 << 8 | 1 << 11 | 3, "bad_settings"),
        ("MODE", 1 << 7 | 1 << 5 | 3, "bad_settings"),
        ("K_INTEGER_LOW", 4, "misaligned"),
        ("Q_ROW_STRIDE", 12, "misaligned"),
        ("VALUE_HIGH", 1 << 31, "misaligned"),
        ("Q_INTEGER_LOW", 0, "read_error"),
        ("OUTPUT_LOW", 0, "write_error"),
        ("NORM_LOW", 8, "read_error"),
        ("CHAIN_LOW", 8, "read_error"),
        ("TIMEOUT", 1, "timeout"),
    ],
)
def test_what_fails(register, word, bit):
    """As in hardware; the next job is none the worse."""
    bus = EmulatedBus(PARAMS)
    backend, write = BusBackend(bus), bus.write32

    def instead(address, value):
        write(address, word if address == BY_NAME[register].address else value)

    bus.write32 = instead
    with pytest.raises(JobError, match=bit):
        HdpDriver(backend).attend(Q, K, V, LAYER)
    assert bus.read32(BY_NAME["LAST_JOB"].address) >> 16 == 1
    bus.write32 = write
    same(backend, prepare(Q, K, V, LAYER, PARAMS)[0])


def test_registers():
    bus = EmulatedBus(PARAMS)
    bus.write32(BY_NAME["N_Q"].address, 0xFFFF_FFFF)
    assert bus.read32(BY_NAME["N_Q"].address) == 0xFFFF
    assert bus.read32(BY_NAME["ENCODER"].address) == 1
    bus.write32(BY_NAME["CONTROL"].address, BY_NAME["CONTROL"].pack(reset=1))
    assert bus.read32(BY_NAME["N_Q"].address) == 0 and not bus.wait(0)
