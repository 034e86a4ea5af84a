"""Excesses and limits of the row_threshold rule, from the importances of golden.bits.pruning.block_importance."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.golden.bits.pruning.geometry import any_of_tiles
from hdp_hw.rtl.pruning.row_threshold import RowThreshold
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.timing import ROW_CYCLES_MIN
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


def thresholds(head, params):
    """Importances and excesses [rows, columns], limits [rows], and per block row its other statistics.

    What the two decide is the golden mask, but for the blocks that causal mode keeps in any case.
    """
    _, theta, rows = statistics(head, params)
    excess, limit = np.zeros_like(theta), np.zeros(len(rows), np.int64)
    for row, of_row in enumerate(rows):
        n_b, total = of_row["o_n_b"], of_row["o_theta_sum"]
        excess[row] = n_b * theta[row] - total if n_b else -1
        existing = excess[row, : max(1, n_b)]
        limit[row] = abs(head.settings.rho) * (existing.min() if head.settings.rho < 0 else existing.max())
    mask = block_mask(head.a, head.valid, head.settings, head.tile)
    above = (256 * excess >= limit[:, None]) & any_of_tiles(head.valid, head.tile)
    assert ((mask == above) | (mask & bool(head.settings.causal))).all()
    return theta, excess, limit, rows


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    limit_latency = RowThreshold(params).limit_latency
    blocks, ends, held, values, cycle = {}, {}, {}, {}, 1
    for head in [*extremes(rng, params), *random_heads(rng, params, [Rule.ROW_THRESHOLD], 30)]:
        held[cycle] = held_settings(head.settings)
        theta, excess, limit, rows = thresholds(head, params)
        for row, column, turn, _, _, _, first, last in head.turns(params):
            cycle += int(rng.choice([1, 1, 1, 2]))
            if first and turn == 0:
                begin = cycle
            blocks[cycle] = {
                "i_first": first,
                "i_theta": theta[row, column],
                **{f"i_{name}": rows[row][f"o_{name}"] for name in ("theta_sum", "n_b")},
            }
            values[cycle + latency] = {"o_excess": excess[row, column]}
            if last and turn == params.predictor_turns - 1:
                cycle = max(cycle, begin + ROW_CYCLES_MIN - 1)
                ends[cycle] = {}
                until = cycle + limit_latency + ROW_CYCLES_MIN
                for after in range(cycle + limit_latency, until):
                    values.setdefault(after, {})["o_limit"] = limit[row]
        cycle += limit_latency + 1
    await play(dut, {"i_valid": blocks, "i_end": ends}, held, {}, values)


@on_every_run
def test_row_threshold(simulator, config):
    run_bench(RowThreshold, __name__, simulator, config)
