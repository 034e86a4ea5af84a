"""DigitSplitter against golden.bits.digits.split."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.array.digit_splitter import DigitSplitter
from tb.lib.lockstep import lockstep
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run


async def check(dut, x, gaps):
    integer, fraction = split(x, PARAMS.digit_width)
    digits = np.stack([fraction, integer], -1)
    await lockstep(dut, [{"x": x} for x in x], [{"digits": d} for d in digits], DigitSplitter.latency, gaps)


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def operands(dut, gaps):
    """Every operand of 8 bits; of 16 bits, those at both ends, around zero and around digit_max, and random ones."""
    rng, limit, n = bench_rng(), 1 << (PARAMS.operand_width - 1), PARAMS.lanes // 2
    around = np.concatenate([np.arange(x - 16, x + 16) for x in (1 - limit, 0, PARAMS.digit_max, limit - 1)])
    x = np.arange(-limit, limit) if limit <= 128 else np.concatenate([around, rng.integers(-limit, limit, 4000)])
    x = x[(x >= -limit) & (x < limit)]
    await check(dut, rng.permutation(x[: len(x) // n * n]).reshape(-1, n), gaps)


@on_cores()
def test_digit_splitter(simulator, core):
    run(DigitSplitter(CORES[core]), __name__, simulator, core)
