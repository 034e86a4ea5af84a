"""DigitMultiplier against golden.bits.array.tile_array.digit_products."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.array.tile_array import digit_products
from hdp_hw.rtl.array.digit_multiplier import DigitMultiplier
from tb.lib.lockstep import lockstep
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers


async def check(dut, left, right, gaps):
    inputs = [{"left": a, "right": b} for a, b in zip(left, right)]
    await lockstep(dut, inputs, [{"product": p} for p in digit_products(left, right)], DigitMultiplier.latency, gaps)


@cocotb.test()
async def all_pairs(dut):
    """Every pair of digits of 4 bits; of 8 bits, those around zero and at both ends."""
    low, high = -(1 << (PARAMS.digit_width - 1)), 1 << (PARAMS.digit_width - 1)
    some = [*range(low, low + 4), *range(-4, 4), *range(high - 4, high)]
    pairs = np.array(np.meshgrid(some, some)).reshape(2, -1, PARAMS.lanes)
    await check(dut, *pairs, gaps=False)


@cocotb.test()
async def random_digits(dut):
    rng = bench_rng()
    pairs = np.array([signed_integers(rng, (2, PARAMS.lanes), PARAMS.digit_width) for _ in range(500)])
    await check(dut, *pairs.swapaxes(0, 1), gaps=True)


@on_cores()
def test_digit_multiplier(simulator, core):
    run(DigitMultiplier(CORES[core]), __name__, simulator, core)
