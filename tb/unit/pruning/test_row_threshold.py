"""The row_threshold rule, against golden.bits.pruning.block_rules."""

import cocotb

from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.rtl.pruning.row_threshold import RowThreshold
from hdp_hw.spec.settings import Rule
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    held_settings,
    largest_score,
    on_every_run,
    random_head,
    random_heads,
    run_bench,
)
from tb.unit.pruning.test_row_statistics import statistics


def extremes(rng, params):
    """Heads of the longest rows with the largest scores, whose comparisons need every bit; all keep equality."""
    for rho in (-255, 0, 255):
        head = random_head(rng, params, params.tile, params.max_seq_len, Rule.ROW_THRESHOLD, "equal", rho=rho)
        head.a[:] = largest_score(params)
        yield head


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    tiles, held, expected, cycle = {}, {}, {}, 1
    for head in [*extremes(rng, params), *random_heads(rng, params, [Rule.ROW_THRESHOLD], 30)]:
        held[cycle] = held_settings(head.settings)
        cycle += 1  # settings are stable two clock cycles before the first block
        theta, rows = statistics(head, params)
        mask = block_mask(head.a, head.valid, head.settings, head.tile)
        for row, column, _, valid, _, _ in head.tiles():
            cycle += int(rng.choice([1, 1, 1, 2]))
            tiles[cycle] = {
                "i_row": row,
                "i_column": column,
                "i_exists": valid.any(),
                "i_theta": theta[row, column],
                **{f"i_{name}": rows[row][f"o_{name}"] for name in ("theta_max", "theta_min", "theta_sum", "n_b")},
            }
            expected[cycle + latency] = {"o_keep": mask[row, column]}
        cycle += latency + 1
    await play(dut, {"i_valid": tiles}, held, {"o_valid": expected})


@on_every_run
def test_row_threshold(simulator, config):
    run_bench(RowThreshold, __name__, simulator, config)
