"""SubTile against golden.bits.array.tile_array.sub_tile."""

import itertools

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import sub_tile
from hdp_hw.rtl.array.sub_tile import SubTile
from hdp_hw.spec.params import ArrayMode
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, run, signed_integers

W, LANES, FIELD = PARAMS.digit_width, PARAMS.lanes, 2 * PARAMS.digit_width - 1
LARGEST = (1 << (W - 1)) - 1


def packed(digits, distance):
    return digits[0] + (digits[1] << distance)


def operation(rng, mode):
    """``(inputs, sums, elements)`` of one clock cycle."""
    weight = np.zeros((2, 2), int)
    if mode == ArrayMode.INTEGER:
        left, right = np.maximum(signed_integers(rng, (2, 2, LANES), W), -LARGEST)
        left, right = packed(left, FIELD), packed(right, 2 * FIELD)
    else:
        left, right = signed_integers(rng, (2, LANES), 2 * W)
        if mode == ArrayMode.CONTEXT:
            weight, left = rng.integers(0, PARAMS.digit_max + 1, (2, 2)), np.zeros(LANES, int)
    sums, elements = sub_tile(left + np.repeat(weight.reshape(-1), LANES // 4), right, W)
    if mode == ArrayMode.FULL:
        sums = elements.sum(-1)
    return {"i_left": left, "i_right": right, "i_weight": weight}, sums, elements


@cocotb.test()
async def modes(dut):
    """Modes take turns in each clock cycle; tiles of INTEGER and of FULL, and CONTEXT in between."""
    rng, unit = bench_rng(), SubTile(PARAMS)
    beats, held, control, values, cycle = {}, {}, {}, {}, 0
    for tile in range(300):
        mode = (ArrayMode.INTEGER, ArrayMode.FULL)[tile % 2]
        score = 0
        for n in range(int(rng.integers(1, PARAMS.max_slices + 1))):
            cycle += 1
            if rng.random() < 0.3:
                held[cycle], _, elements = operation(rng, ArrayMode.CONTEXT)
                values.setdefault(cycle + unit.elements_latency, {})["o_elements"] = elements
                cycle += 1
            held[cycle], sums, _ = operation(rng, mode)
            score = score + sums
            beats[cycle + unit.sum_latency] = {"i_first": n == 0}
            control.setdefault(cycle + unit.sum_latency - 1, {})["i_full"] = mode == ArrayMode.FULL
        values.setdefault(cycle + unit.sum_latency + 1, {})["o_scores"] = score
    held = {at: held.get(at, {}) | control.get(at, {}) for at in held | control}
    await play(dut, {"i_valid": beats}, held, {}, values)


@cocotb.test()
async def all_digits(dut):
    """Every quadruple of digits, in the lanes of one clock cycle after the other: what one lane holds ends there."""
    unit, digits = SubTile(PARAMS), np.arange(-LARGEST, LARGEST + 1)
    quadruples = np.array(list(itertools.product(digits, repeat=4)))
    quadruples = np.resize(quadruples, (-(-len(quadruples) // LANES), LANES, 4))
    beats, held, values = {}, {0: {"i_full": 0, "i_weight": [0] * 4}}, {}
    for cycle, lanes in enumerate(quadruples.transpose(0, 2, 1)):
        left, right = packed(lanes[:2], FIELD), packed(lanes[2:], 2 * FIELD)
        held.setdefault(cycle, {}).update(i_left=left, i_right=right)
        beats[cycle + unit.sum_latency] = {"i_first": 1}
        values[cycle + unit.sum_latency + 1] = {"o_scores": np.einsum("rl,cl->rc", lanes[:2], lanes[2:])}
    await play(dut, {"i_valid": beats}, held, {}, values)


@pytest.mark.parametrize("core", ["packed", "packed_narrow"])
def test_sub_tile(simulator, core):
    run(SubTile(CORES[core]), __name__, simulator, core)
