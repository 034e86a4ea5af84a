"""OperandSelect against golden.bits.array.tile_array.operand_select."""

import os

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import operand_select
from hdp_hw.rtl.array.operand_select import OperandSelect
from hdp_hw.spec.params import ArrayMode
from tb.lib.lockstep import lockstep
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

SIDE = os.environ.get("HDP_SIDE", "left")


def beat(rng, mode, phase):
    """Inputs and expected digits: one after another, so that no two lanes agree by chance, or random."""
    w, lanes = PARAMS.digit_width, PARAMS.lanes
    low, high = -(1 << (w - 1)), 1 << (w - 1)
    integer, fraction = rng.integers(low, high, (2, lanes))
    value = rng.integers(low, high, (lanes // 2, 2))
    if rng.random() < 0.5:
        integer, fraction = (np.arange(lanes) + low + offset for offset in (0, 1 if lanes > high else lanes))
        value = np.arange(lanes).reshape(-1, 2) + low
    inputs = {"mode": mode, "phase": phase, "integer": integer, "fraction": fraction, "value": value}
    return inputs, {"digits": operand_select(mode, phase, integer, fraction, value, SIDE)}


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def modes(dut, gaps):
    """Every mode in every phase, in any order; the left side takes its weights elsewhere in CONTEXT."""
    rng = bench_rng()
    legal = [mode for mode in ArrayMode if SIDE == "right" or mode != ArrayMode.CONTEXT]
    order = rng.permutation([(mode, phase) for mode in legal for phase in range(4)] * 40)
    inputs, expected = zip(*(beat(rng, mode, phase) for mode, phase in order.tolist()))
    await lockstep(dut, inputs, expected, OperandSelect.latency, gaps)


@on_cores("narrow")
@pytest.mark.parametrize("side", ["left", "right"])
def test_operand_select(simulator, core, side):
    run(OperandSelect(CORES[core], side), __name__, simulator, core, f"_{side}", HDP_SIDE=side)
