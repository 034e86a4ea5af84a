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
@cocotb.parametrize(gaps=[False, True])
async def modes(dut, gaps):
    """All modes in any order."""
    rng, unit, cycle = bench_rng(), DotUnit(PARAMS), 0
    beats, elements, sums = {}, {}, {}
    for mode in rng.permutation(list(ArrayMode) * 150):
        cycle += int(rng.integers(1, 3)) if gaps else 1
        beats[cycle], of_elements, total = beat(rng, mode)
        elements[cycle + unit.elements_latency] = {"o_elements": of_elements}
        sums[cycle + unit.latency] = {"o_sum": total}
    await play(dut, {"i_valid": beats}, {}, {"o_elements_valid": elements, "o_valid": sums})


@on_cores("narrow")
def test_dot_unit(simulator, core):
    run(DotUnit(CORES[core]), __name__, simulator, core)
