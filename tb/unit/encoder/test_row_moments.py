"""RowMoments against golden/bits/encoder/norm.py."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.encoder.norm import variances
from hdp_hw.rtl.encoder.row_moments import RowMoments
from hdp_hw.spec.encoder import EPSILON_WIDTH, MAX_FEATURES
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate


def rows(rng):
    """Rows of many lengths and magnitudes, of extremes alone, and of one word again and again."""
    for n in (2, 3, 16, 384, 1024, MAX_FEATURES, *rng.integers(2, MAX_FEATURES, 20)):
        yield np.full(n, -(1 << 15))
        yield np.full(n, (1 << 15) - 1)
        yield rng.choice([-(1 << 15), (1 << 15) - 1], n)
        yield np.clip(rng.normal(rng.uniform(-9, 9), 2.0 ** rng.integers(0, 14), n), -(1 << 15), (1 << 15) - 1).astype(
            int
        )
    yield np.zeros(5, int)


@cocotb.test()
async def moments(dut):
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    await start(dut)
    for row in rows(rng):
        rms, epsilon = int(rng.integers(0, 2)), int(rng.choice([0, 1, rng.integers(0, 1 << EPSILON_WIDTH)]))
        mean, variance = (int(x[0]) for x in variances(row, bool(rms)))
        if variance + epsilon >= 1 << (EPSILON_WIDTH + 1):
            epsilon = 0
        words = row if rms else row + (1 << 15)
        dut.i_n.value, dut.i_epsilon.value = len(row), epsilon
        dut.i_total.value = 0 if rms else int(words.sum())
        dut.i_squares.value, dut.i_start.value = int((words * words).sum()), 1
        await RisingEdge(dut.aclk)
        dut.i_start.value = 0
        cycles = 0
        while True:
            await RisingEdge(dut.aclk)
            cycles += 1
            if read(dut.o_done, "o_done"):
                break
        assert cycles == RowMoments.latency
        for name in ("n", "epsilon", "total", "squares"):
            getattr(dut, f"i_{name}").value = int(rng.integers(0, 2))
        for _ in range(rng.integers(1, 4)):
            await RisingEdge(dut.aclk)
            assert read(dut.o_variance, "o_variance") == variance + epsilon, (len(row), rms, epsilon)
        fourfold = read(dut.o_mean, "o_mean")
        assert fourfold == (0 if rms else 4 * int(words.sum()) // len(row))
        assert (fourfold + 1) // 2 == mean + (0 if rms else 1 << 16), "the golden mean is rounded, and of signed words"


def test_row_moments(simulator):
    simulate(RowMoments(), __name__, simulator, name="row_moments")
