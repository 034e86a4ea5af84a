"""Reciprocal against golden/bits/approximation/reciprocal.py."""

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.approximation.reciprocal import reciprocal
from hdp_hw.rtl.approximation.reciprocal import Reciprocal
from hdp_hw.spec.tables import normalised_width
from tb.lib.lockstep import lockstep
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run


async def check(dut, x, gaps):
    width = len(dut.i_x)
    r, s = reciprocal(x, width, PARAMS.digit_width)
    await lockstep(
        dut,
        [{"x": x} for x in x],
        [{"r": r, "s": s} for r, s in zip(r, s)],
        Reciprocal(PARAMS, width).latency,
        gaps,
    )


@cocotb.test()
async def small_and_near_powers(dut):
    """The first 4096 integers, and those around every power of two and around segment boundaries."""
    top = 2 ** len(dut.i_x)
    powers = 1 << np.arange(len(dut.i_x))
    boundaries = top // 2 + np.arange(64) * top // 128
    edges = np.concatenate([powers, boundaries, [top]])
    x = np.concatenate([np.arange(min(4096, top)), edges - 1, edges, edges + 1])
    await check(dut, x[x < top], gaps=False)


@cocotb.test()
async def random_values(dut):
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    await check(dut, rng.integers(0, 1 << rng.integers(1, len(dut.i_x) + 1, 2000)), gaps=True)


@pytest.mark.parametrize("use", ["denominator", "count"])
@on_every_core
def test_reciprocal(simulator, core, use):
    params = CORES[core]
    width = normalised_width(params.digit_width, params.max_seq_len) if use == "denominator" else params.seq_width
    run(Reciprocal(params, width), __name__, simulator, core, f"_{use}")
