"""Importance of a block, against golden.bits.pruning.block_importance."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.block_importance import block_importance
from hdp_hw.rtl.pruning.block_importance import BlockImportance
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    largest_score,
    on_every_run_and_largest_tile,
    rows_of_turns,
    run_bench,
)


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def importances(dut, gaps):
    params, rng = bench_params(), bench_rng()
    shape, largest = (params.tile, params.tile), largest_score(params)
    scores = [np.full(shape, value) for value in (0, largest, -largest)]
    scores += [rng.choice([-largest, -1, 0, 1, largest], shape) for _ in range(20)]
    scores += [rng.integers(-largest, largest + 1, shape) for _ in range(80)]
    elements = [np.full(shape, value) for value in (1, 1, 1, 0)]
    elements += [rng.integers(0, 2, shape) for _ in scores[4:]]
    turns, expected, cycle = {}, {}, 0
    for a, valid in zip(scores, elements, strict=True):
        for rows in rows_of_turns(params):
            cycle += 1 + gaps * int(rng.integers(0, 3))
            ends = rows.stop == params.tile
            turns[cycle] = {"i_a": a[rows], "i_elements": valid[rows], "i_last_turn": ends}
        expected[cycle + bench_latency()] = {"o_theta": block_importance(a, valid), "o_n_valid": valid.sum()}
    await play(dut, {"i_valid": turns}, {}, {"o_valid": expected})


@on_every_run_and_largest_tile
def test_block_importance(simulator, config):
    run_bench(BlockImportance, __name__, simulator, config)
