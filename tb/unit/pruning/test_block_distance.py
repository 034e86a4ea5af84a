"""Distances and sums of exponentials of tiles, against golden.bits.pruning.coarse_exp."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.coarse_exp import coarse_exp, coarse_logit
from hdp_hw.golden.bits.pruning.geometry import tiles_of
from hdp_hw.rtl.pruning.block_distance import BlockDistance
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_MAX, NO_DISTANCE
from hdp_hw.spec.settings import Rule
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    held_settings,
    on_every_run,
    random_heads,
    run_bench,
)
from tb.unit.pruning.test_coarse_logit import wide_logit


def distances(head):
    """Row maxima [rows], and of each tile and query row [..., tile]: distance and sum of exponentials."""
    valid, settings = head.valid, head.settings
    row_max = np.where(valid, head.a, np.iinfo(np.int64).min).max(1, keepdims=True)
    difference = np.where(valid, row_max - head.a, 0)
    if settings.rule == Rule.MARGIN:
        distance = np.minimum(difference, DISTANCE_MAX)
        exps = None
    else:
        distance = wide_logit(difference, settings.kappa, settings.kappa_shift)
        exps = tiles_of(np.where(valid, coarse_exp(coarse_logit(difference, settings)), 0), head.tile).sum(-1)
    nearest = tiles_of(np.where(valid, distance, NO_DISTANCE), head.tile).min(-1)
    return np.maximum(row_max[:, 0], -(2**30)).reshape(-1, head.tile), nearest, exps


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    turns, held, expected, cycle = {}, {}, {}, 1
    for head in random_heads(rng, params, [Rule.MASS, Rule.MARGIN], 24):
        held[cycle] = held_settings(head.settings)
        row_max, nearest, exps = distances(head)
        for row, column, _, rows, a, valid, _, _ in head.turns(params):
            cycle += int(rng.choice([1, 1, 1, 2]))
            turns[cycle] = {"i_a": a, "i_elements": valid, "i_row_max": row_max[row, rows]}
            expected[cycle + latency] = {"o_distance": nearest[row, column, rows]}
            if exps is not None:
                expected[cycle + latency]["o_exp_sum"] = exps[row, column, rows]
        cycle += latency + 1
    await play(dut, {"i_valid": turns}, held, {"o_valid": expected})


@on_every_run
def test_block_distance(simulator, config):
    run_bench(BlockDistance, __name__, simulator, config)
