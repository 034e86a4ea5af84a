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
    """Importances [rows, columns], and per block row the ports of its statistics."""
    valid, tile = head.valid, head.tile
    lowest = -(1 << (params.a_width - 1))
    row_max = np.where(valid, head.a, lowest).max(1).reshape(-1, tile)
    theta = block_importance(tiles_of(head.a, tile), tiles_of(valid, tile))
    exists = tiles_of(valid, tile).any((-2, -1))
    rows = []
    for row in range(len(theta)):
        found = theta[row][exists[row]]
        rows.append(
            {
                "o_row_max": row_max[row],
                "o_theta_max": max(found, default=0),
                "o_theta_min": min(found, default=0),
                "o_theta_sum": found.sum(),
                "o_n_b": len(found),
                "o_n_valid": valid[row * tile : (row + 1) * tile].sum(),
            }
        )
    return theta, rows


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    tiles, importances, rows, cycle = {}, {}, {}, 0
    for head in random_heads(rng, params, [Rule.ROW_THRESHOLD], 24):
        theta, row_statistics = statistics(head, params)
        for row, column, a, valid, first, last in head.tiles():
            cycle += int(rng.choice([1, 1, 1, 2]))
            tiles[cycle] = {"i_a": a, "i_elements": valid, "i_first": first, "i_last": last}
            importances[cycle + latency - 1] = {"o_theta": theta[row, column]}
            if last:
                rows[cycle + latency] = row_statistics[row]
    await play(dut, {"i_valid": tiles}, {}, {"o_tile_valid": importances, "o_valid": rows})


@on_every_run_and_largest_tile
def test_row_statistics(simulator, config):
    run_bench(RowStatistics, __name__, simulator, config)


@pytest.mark.parametrize("config", PARAMS)
def test_latency(config):
    """The importance comes one clock cycle before the statistics."""
    component = RowStatistics(PARAMS[config])
    assert component.latency == component.tile_latency + 1 == statistics_latency(PARAMS[config])
