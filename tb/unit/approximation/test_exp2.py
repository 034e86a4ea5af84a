"""Exp2 against golden/bits/approximation/exp2.py."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.approximation.exp2 import exp2, logit, weight
from hdp_hw.rtl.approximation.exp2 import Exp2
from tb.lib.lockstep import lockstep
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run


def corners():
    """Every shift with the extremes of mult and with differences around every power of two."""
    top = 2**PARAMS.s_width - 1
    powers = 1 << np.arange(0, PARAMS.s_width, 3)
    differences = np.unique(np.concatenate([[0, top - 1, top], powers - 1, powers, powers + 1]))
    return np.array(np.meshgrid(differences, [0, 1, 128, 255], np.arange(64))).reshape(3, -1)


def in_range(rng, n):
    """Random logits that mostly do not saturate, as calibrated settings make them."""
    bits = rng.integers(1, PARAMS.s_width + 1, n)
    difference = rng.integers(0, 1 << bits)
    mult = rng.integers(128, 256, n)
    shift = np.clip(bits + 8 - rng.integers(8, 20, n), 0, 63)
    return np.array([difference, mult, shift])


async def check(dut, vectors, gaps):
    w = PARAMS.digit_width
    difference, mult, shift = vectors
    e = exp2(logit(difference, mult, shift, w), w)
    inputs = [{"difference": d, "mult": m, "shift": s} for d, m, s in zip(difference, mult, shift)]
    expected = [{"e": e, "weight": p} for e, p in zip(e, weight(e, w))]
    await lockstep(dut, inputs, expected, Exp2(PARAMS).latency, gaps)


@cocotb.test()
async def corner_values(dut):
    await check(dut, corners(), gaps=False)


@cocotb.test()
async def random_values(dut):
    await check(dut, in_range(np.random.default_rng(cocotb.RANDOM_SEED), 3000), gaps=True)


@on_every_core
def test_exp2(simulator, core):
    run(Exp2(CORES[core]), __name__, simulator, core)
