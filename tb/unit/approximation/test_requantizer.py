"""Requantizer against golden/bits/approximation/requantizer.py."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.approximation.reciprocal import reciprocal
from hdp_hw.golden.bits.approximation.requantizer import requantize
from hdp_hw.rtl.approximation.requantizer import Requantizer
from tb.lib.lockstep import lockstep
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run

LIMIT = 2 ** (PARAMS.operand_width - 1)


def quotients(rng, n):
    """``(numerator, denominator)`` with quotients all over [-LIMIT, LIMIT], some of them at or near the ends."""
    width = Requantizer(PARAMS).width
    powers = 1 << np.arange(width)
    denominator = np.concatenate([powers, 2 * powers - 1, rng.integers(1, 1 << rng.integers(1, width + 1, n))])
    quotient = rng.uniform(-LIMIT, LIMIT, len(denominator))
    near = rng.random(len(denominator)) < 0.1
    quotient = np.where(near, np.sign(quotient) * (LIMIT - rng.uniform(0, 2, len(denominator))), quotient)
    numerator = np.rint(quotient * denominator).astype(np.int64)
    ends = np.array([-LIMIT, 1 - LIMIT, -1, 0, 1, LIMIT - 1, LIMIT])
    return (
        np.concatenate([numerator, np.outer(denominator, ends).ravel()]),
        np.concatenate([denominator, np.repeat(denominator, len(ends))]),
    )


def around_the_limits(rng, n):
    """``(numerator, denominator)`` with quotients up to 1.5 * LIMIT, for denominators that allow them."""
    low = 1 << rng.integers(4, Requantizer(PARAMS).width, n)
    denominator = low + rng.integers(0, low // 4)
    wide, near = rng.uniform(-1.5, 1.5, n) * LIMIT, rng.choice([-1, 1], n) * (LIMIT + rng.uniform(-8, 8, n))
    numerator = np.rint(np.where(rng.random(n) < 0.5, wide, near) * denominator).astype(np.int64)
    return numerator, denominator


async def check(dut, numerator, denominator, gaps):
    width, w = Requantizer(PARAMS).width, PARAMS.digit_width
    r, s = reciprocal(denominator, width, w)
    expected = [{"y": y} for y in requantize(numerator, r, s, width, w)]
    inputs = [{"numerator": n, "r": r, "s": s} for n, r, s in zip(numerator, r, s)]
    await lockstep(dut, inputs, expected, Requantizer(PARAMS).latency, gaps)


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def outputs(dut, gaps):
    await check(dut, *quotients(np.random.default_rng(cocotb.RANDOM_SEED), 500), gaps)


@cocotb.test()
async def saturation(dut):
    numerator, denominator = around_the_limits(np.random.default_rng(cocotb.RANDOM_SEED), 2000)
    assert 0.1 < (np.abs(numerator / denominator) > LIMIT).mean() < 0.9
    await check(dut, numerator, denominator, gaps=False)


@cocotb.test()
async def no_denominator(dut):
    """A row without any weight gives 0, whatever the numerator."""
    top = 2 ** (Requantizer(PARAMS).numerator_width - 1)
    numerator = np.array([0, 1, -1, top - 1, -top])
    await check(dut, numerator, np.zeros_like(numerator), gaps=False)


@on_every_core
def test_requantizer(simulator, core):
    run(Requantizer(CORES[core]), __name__, simulator, core)
