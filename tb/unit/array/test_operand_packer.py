"""OperandPacker against golden.bits.array.tile_array.packed_operands."""

import os

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import packed_operands
from hdp_hw.rtl.array.operand_packer import OperandPacker
from hdp_hw.spec.params import ArrayMode
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, run, signed_integers

W, LANES = PARAMS.digit_width, PARAMS.lanes
LOWEST = 1 - (1 << (W - 1))  #: I digit of an operand, which saturates
SIDE = os.environ.get("HDP_SIDE", "left")


@cocotb.test()
async def modes(dut):
    """A word a clock cycle, in every mode and phase."""
    rng, held, values = bench_rng(), {}, {}
    modes = [ArrayMode.INTEGER, ArrayMode.FULL, ArrayMode.CONTEXT]
    for cycle, mode in enumerate(rng.permutation(modes * 200)):
        phase = int(rng.integers(0, 4))
        fraction, value = signed_integers(rng, (2, LANES), W), signed_integers(rng, (2, LANES // 2, 2), W)
        integer = np.maximum(signed_integers(rng, (2, LANES), W), LOWEST)
        value[..., 1] = np.maximum(value[..., 1], LOWEST)
        held.setdefault(cycle, {}).update(i_mode=mode, i_phase=phase)
        held[cycle + 1] = {"i_integer": integer, "i_fraction": fraction, "i_value": value}
        packed, operands = packed_operands(mode, phase, integer, fraction, value, SIDE, W)
        values.setdefault(cycle + 2, {})["o_operands"] = operands
        values[cycle + 1 + OperandPacker.latency] = {"o_packed": packed}
    await play(dut, {}, held, {}, values)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("core", ["packed", "packed_narrow"])
def test_operand_packer(simulator, core, side):
    run(OperandPacker(CORES[core], side), __name__, simulator, core, f"_{side}", HDP_SIDE=side)
