"""PackedMultiplier against golden.bits.array.tile_array.digit_products."""

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import digit_products
from hdp_hw.rtl.array.packed_multiplier import PackedMultiplier
from tb.lib.lockstep import lockstep
from tb.unit.block_bench import CORES, PARAMS, run


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def all_triples(dut, gaps):
    """Every pair of left digits with every right digit, in every lane; each lane is at another one."""
    digits = np.arange(-8, 8)
    triples = np.array(np.meshgrid(digits, digits, digits)).reshape(3, -1)  # left of two rows, right
    *left, right = np.stack([np.roll(triples, 111 * lane, 1) for lane in range(PARAMS.dsp_lanes)], -1)
    inputs = [{"left": pair, "right": own} for pair, own in zip(np.stack(left, 1), right)]
    assert len(inputs) == 16**3
    expected = [{"product": digit_products(each["left"], each["right"])} for each in inputs]
    await lockstep(dut, inputs, expected, PackedMultiplier.latency, gaps)


@pytest.mark.parametrize("core", ["some_packed", "all_packed"])
def test_packed_multiplier(simulator, core):
    run(PackedMultiplier(CORES[core]), __name__, simulator, core)
