"""Statistics of block rows, against golden.bits.pruning.block_importance."""

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.pruning.block_importance import block_importance
from hdp_hw.golden.bits.pruning.geometry import tiles_of
from hdp_hw.rtl.pruning.row_statistics import RowStatistics, statistics_latency
from hdp_hw.spec.settings import Rule
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    PARAMS,
    bench_latency,
    bench_params,
    bench_rng,
    on_every_run_and_largest_tile,
    random_heads,
    run_bench,
)


def statistics(head, params):
    """Largest scores of all query rows, importances [rows, columns], and per block row the ports of its statistics."""
    valid, tile = head.valid, head.tile
    lowest = -(1 << (params.a_width - 1))
    row_max = np.where(valid, head.a, lowest).max(1).reshape(-1, tile)
    theta = block_importance(tiles_of(head.a, tile), tiles_of(valid, tile))
    exists = tiles_of(valid, tile).any((-2, -1))
    rows = []
    for row in range(len(theta)):
        rows.append(
            {
                "o_theta_sum": theta[row][exists[row]].sum(),
                "o_n_b": exists[row].sum(),
                "o_n_valid": valid[row * tile : (row + 1) * tile].sum(),
            }
        )
    return row_max, theta, rows


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    max_latency = RowStatistics(params).max_latency
    turns, maxima, importances, of_rows, cycle = {}, {}, {}, {}, 0
    for head in random_heads(rng, params, [Rule.ROW_THRESHOLD], 24):
        row_max, theta, row_statistics = statistics(head, params)
        for row, column, turn, rows, a, valid, first, last in head.turns(params):
            cycle += int(rng.choice([1, 1, 1, 2]))
            ends = turn == params.predictor_turns - 1
            turns[cycle] = {"i_a": a, "i_elements": valid, "i_first": first, "i_last": last, "i_last_turn": ends}
            if last:
                maxima[cycle + max_latency] = {"o_row_max": row_max[row, rows]}
            if ends:
                importances[cycle + latency - 1] = {"o_theta": theta[row, column]}
            if ends and last:
                of_rows[cycle + latency] = row_statistics[row]
    outputs = {"o_max_valid": maxima, "o_tile_valid": importances, "o_valid": of_rows}
    await play(dut, {"i_valid": turns}, {}, outputs)


@on_every_run_and_largest_tile
def test_row_statistics(simulator, config):
    run_bench(RowStatistics, __name__, simulator, config)


@pytest.mark.parametrize("config", PARAMS)
def test_latency(config):
    """The importance comes one clock cycle before the statistics."""
    component = RowStatistics(PARAMS[config])
    assert component.latency == component.tile_latency + 1 == statistics_latency(PARAMS[config])
