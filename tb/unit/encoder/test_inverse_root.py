"""InverseRoot against golden/bits/encoder/inverse_root.py."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.encoder.inverse_root import inverse_root
from hdp_hw.rtl.encoder.inverse_root import FACTOR_WIDTH, MULTIPLIER_LATENCY, PRODUCT_WIDTH, InverseRoot
from hdp_hw.rtl.encoder.row_moments import VARIANCE_WIDTH
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import simulate


async def multiplier(dut):
    """What the block borrows."""
    products = [0] * MULTIPLIER_LATENCY
    while True:
        await RisingEdge(dut.aclk)
        factors = [read(getattr(dut, f"o_{side}"), side) for side in ("left", "right")]
        left, right = (x - ((x >> (FACTOR_WIDTH - 1)) << FACTOR_WIDTH) for x in factors)
        products = [*products[1:], left * right]
        dut.i_product.value = pack(products[0], PRODUCT_WIDTH)


@cocotb.test()
async def roots(dut):
    """0, around every power of two, and random integers of every magnitude."""
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    powers = 1 << np.arange(VARIANCE_WIDTH)
    values = np.concatenate([[0], powers, powers - 1, powers + 1, rng.integers(0, powers), rng.integers(0, powers)])
    values = values[values < 1 << VARIANCE_WIDTH]
    await start(dut)
    cocotb.start_soon(multiplier(dut))
    for v, q, e in zip(values, *inverse_root(values)):
        dut.i_v.value, dut.i_start.value = int(v), 1
        await RisingEdge(dut.aclk)
        dut.i_v.value, dut.i_start.value = int(rng.integers(0, 1 << VARIANCE_WIDTH)), 0
        cycles = 0
        while True:
            await RisingEdge(dut.aclk)
            cycles += 1
            if read(dut.o_done, "o_done"):
                break
        assert cycles == InverseRoot.latency + e, f"v = {v}"
        for _ in range(rng.integers(0, 3)):
            await RisingEdge(dut.aclk)
        assert (read(dut.o_q, "o_q"), read(dut.o_e, "o_e")) == (q, e), f"v = {v}"


def test_inverse_root(simulator):
    simulate(InverseRoot(), __name__, simulator, name="inverse_root")
