"""DotUnit against golden.bits.array.tile_array.dot_unit."""

import cocotb

from hdp_hw.golden.bits.array.tile_array import dot_unit, weight_digits
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.array.dot_unit import DotUnit
from hdp_hw.spec.params import ArrayMode
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers


def beat(rng, mode):
    """``(inputs, elements, sum)`` of one cycle."""
    w, lanes = PARAMS.digit_width, PARAMS.lanes
    left, right = signed_integers(rng, (2, lanes), w)
    weight = rng.choice([0, 1, PARAMS.digit_max, rng.integers(0, PARAMS.digit_max + 1)])
    integer, fraction = split(weight, w)
    is_context, fused = mode == ArrayMode.CONTEXT, mode in (ArrayMode.FULL, ArrayMode.CONTEXT)
    inputs = {
        "i_fused": fused,
        "i_context": is_context,
        "i_left": left,
        "i_weight": [fraction, integer],
        "i_right": right,
    }
    return inputs, *dot_unit(weight_digits(weight, lanes, w) if is_context else left, right, fused, w)


@cocotb.test()
async def modes(dut):
    """All modes in any order, a micro-operation a clock cycle."""
    rng, unit = bench_rng(), DotUnit(PARAMS)
    held, values = {}, {}
    for cycle, mode in enumerate(rng.permutation(list(ArrayMode) * 150)):
        held[cycle], elements, total = beat(rng, mode)
        values.setdefault(cycle + unit.elements_latency, {})["o_elements"] = elements
        values.setdefault(cycle + unit.latency, {})["o_sum"] = total
    await play(dut, {}, held, {}, values)


@on_cores("narrow")
def test_dot_unit(simulator, core):
    run(DotUnit(CORES[core]), __name__, simulator, core)
