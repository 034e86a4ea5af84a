"""Turns of block rows, against golden.cycles.pruning.predictor."""

from itertools import product

import cocotb

from hdp_hw.golden.cycles.pruning.predictor import predictor_cycles
from hdp_hw.rtl.pruning.row_pacer import RowPacer
from hdp_hw.spec.timing import PREDICTOR_LATENCY_A, PREDICTOR_LATENCY_B, PREDICTOR_ROWS, ROW_CYCLES_MIN
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    on_every_run_and_largest_tile,
    run_bench,
)


@cocotb.test()
async def turns(dut):
    """Heads of rows of every length, offered at once, late, or so that a turn follows the other without a gap."""
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    longest, turns = params.max_blocks, params.predictor_turns
    offered, blocks, ends, cycle = {}, {}, {}, 0
    for head in range(16):
        shortest = ROW_CYCLES_MIN // turns
        lengths = [1, shortest - 1, shortest, shortest + 1, *rng.integers(1, 24, 4)]
        lengths = [min(int(n), longest) for n in lengths[: min(int(rng.integers(1, 9)), longest)]]
        offers, cycles = [], None
        for row, n in enumerate(lengths):
            cycle += int(rng.choice([1, 1, 8, ROW_CYCLES_MIN, 3 * ROW_CYCLES_MIN])) if head else 1
            if row >= PREDICTOR_ROWS:  # the row that waited in the same place has begun
                cycle = max(cycle, cycles.stage_b[row - PREDICTOR_ROWS])
            offers.append(cycle + latency - PREDICTOR_LATENCY_A - (turns - 1))
            description = {"row": row, "last_column": n - 1, "last_row": row == len(lengths) - 1}
            offered[cycle] = {f"i_{name}": value for name, value in description.items()}
            cycles = predictor_cycles(offers, lengths[: row + 1], params)
        for row, (start, n) in enumerate(zip(cycles.stage_b, lengths, strict=True)):
            description = {"o_row": row, "o_last_column": n - 1, "o_last_row": row == len(lengths) - 1}
            for column, turn in product(range(n), range(turns)):
                place = {"o_column": column, "o_turn": turn, "o_first": column == 0, "o_last": column == n - 1}
                blocks[start + column * turns + turn] = description | place
            end = cycles.stage_c[row] - PREDICTOR_LATENCY_B - 1
            ends[end] = description
        cycle = end + 1 - latency  # the next head's first turn may follow without a gap too
    await play(dut, {"i_valid": offered}, {}, {"o_valid": blocks, "o_end": ends})


@on_every_run_and_largest_tile
def test_row_pacer(simulator, config):
    run_bench(RowPacer, __name__, simulator, config)
