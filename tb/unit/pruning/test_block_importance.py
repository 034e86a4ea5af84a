"""Importance of a block, in lockstep with golden.bits.pruning.block_importance."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.block_importance import block_importance
from hdp_hw.rtl.pruning.block_importance import BlockImportance
from tb.lib.lockstep import lockstep
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    largest_score,
    on_every_run_and_largest_tile,
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
    await lockstep(
        dut,
        [{"a": a, "elements": valid} for a, valid in zip(scores, elements, strict=True)],
        [
            {"theta": block_importance(a, valid), "n_valid": valid.sum()}
            for a, valid in zip(scores, elements, strict=True)
        ],
        bench_latency(),
        gaps,
    )


@on_every_run_and_largest_tile
def test_block_importance(simulator, config):
    run_bench(BlockImportance, __name__, simulator, config)
