"""RowAccumulator against golden.bits.array.tile_array: context and value_total."""

import os

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import context, value_total
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.array.row_accumulator import RowAccumulator
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers

USE = os.environ.get("HDP_USE", "context")


def accumulator(params, use):
    """The block as the array uses it: for the products of weights and V, or for V itself."""
    term_width, width = {
        "context": (4 * params.digit_width, params.context_width),
        "values": (params.operand_width, params.value_sum_width),
    }[use]
    return RowAccumulator(params, term_width, width)


def row(rng, n_keys):
    """``(terms [n_keys, elements], their sums)`` of a row of weights, or of V, over whole tiles of keys."""
    w = PARAMS.digit_width
    v = signed_integers(rng, (n_keys, PARAMS.slice_width), PARAMS.operand_width)
    integer, fraction = split(v, w)
    saturated = (integer << w) + fraction
    if USE == "values":
        return saturated, value_total(v, w)
    p = rng.choice([0, PARAMS.digit_max]) if rng.random() < 0.3 else rng.integers(0, PARAMS.digit_max + 1, (n_keys, 1))
    p = np.broadcast_to(p, (n_keys, 1))
    return p * saturated, context(p.T, v, w)[0]


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def rows(dut, gaps):
    """Rows of one tile to the longest, the next right behind."""
    rng, tile = bench_rng(), PARAMS.tile
    latency, cycle, beats, expected = accumulator(PARAMS, USE).latency, 0, {}, {}
    for index in range(60):
        n_tiles = PARAMS.max_blocks if index % 10 == 0 else int(rng.integers(1, 6))
        terms, sums = row(rng, n_tiles * tile)
        for t in range(n_tiles):
            cycle += int(rng.integers(1, 3)) if gaps else 1
            of_tile = terms[t * tile : (t + 1) * tile]
            beats[cycle] = {"i_first": t == 0, "i_last": t == n_tiles - 1, "i_terms": of_tile}
        expected[cycle + latency] = {"o_sums": sums}
    await play(dut, {"i_valid": beats}, {}, {"o_valid": expected})


@on_cores()
@pytest.mark.parametrize("use", ["context", "values"])
def test_row_accumulator(simulator, core, use):
    run(accumulator(CORES[core], use), __name__, simulator, core, f"_{use}", HDP_USE=use)
