"""The decision on blocks under every rule, against golden.bits.pruning.block_rules."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.rtl.pruning.block_rules import BlockRules
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.tables import COARSE_MAX
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    Head,
    bench_latency,
    bench_params,
    bench_rng,
    held_settings,
    on_every_run,
    random_head,
    random_heads,
    rows_of_turns,
    run_bench,
)
from tb.unit.pruning.test_block_distance import distances
from tb.unit.pruning.test_row_threshold import thresholds


def edges(rng, params):
    """Heads of two tiles a row, with one key at every coarse logit around saturation, and limits around it."""
    for log_mass in (COARSE_MAX - 1, COARSE_MAX, COARSE_MAX + 1):
        for x in (COARSE_MAX - 1, COARSE_MAX, COARSE_MAX + 1):
            tile = params.tile
            more = {"kappa": 1, "kappa_shift": 0, "log_mass": log_mass}
            settings = random_head(rng, params, 1, tile + 1, Rule.MASS, **more).settings
            a = np.full((tile, 2 * tile), -500)
            a[:, 0], a[:, tile] = 0, -x
            yield Head(settings, a, tile)


def found(head, params):
    """Of each turn of the head: ``(row, column, turn, is first, inputs)``, and ports of Z [rows][turns]."""
    _, nearest, exps = distances(head)
    excess, limit = np.zeros(nearest.shape[:2], np.int64), np.zeros(len(nearest), np.int64)
    if head.settings.rule == Rule.ROW_THRESHOLD:
        _, excess, limit, _ = thresholds(head, params)
    turns = []
    for row, column, turn, rows, _, _, first, _ in head.turns(params):
        place = {"i_row": row, "i_column": column, "i_turn": turn, "i_limit": limit[row]}
        inputs = place | {"i_distance": nearest[row, column, rows], "i_excess": excess[row, column]}
        turns.append((row, column, turn, first, inputs))
    z = np.zeros((len(nearest), head.tile)) if exps is None else exps.sum(1)
    return turns, [[{"i_z": of_row[rows]} for rows in rows_of_turns(params)] for of_row in z]


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    z, blocks, held, expected, cycle = {}, {}, {}, {}, 0
    random = random_heads(rng, params, [Rule.MASS, Rule.MARGIN, Rule.ROW_THRESHOLD], 36)
    for head in [*edges(rng, params), *random]:
        cycle += latency
        held[cycle] = held_settings(head.settings)
        mask = block_mask(head.a, head.valid, head.settings, head.tile)
        turns, z_of_rows = found(head, params)
        for row, column, turn, first, inputs in turns:
            if first and turn == 0:  # the limits apply from row_latency after Z on
                for z_turn, of_turn in enumerate(z_of_rows[row]):
                    cycle += 1
                    z[cycle] = of_turn | {"i_z_turn": z_turn}
                cycle += BlockRules.row_latency - 1
            cycle += int(rng.choice([1, 1, 1, 2]))
            blocks[cycle] = inputs
            if turn == params.predictor_turns - 1:
                expected[cycle + latency] = {"o_keep": mask[row, column]}
    await play(dut, {"i_z_valid": z, "i_valid": blocks}, held, {"o_valid": expected})


@cocotb.test()
async def rows_back_to_back(dut):
    """Limits change just in time while blocks of the previous row are still entering."""
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    head = random_head(rng, params, 6 * params.tile, 9 * params.tile, Rule.MASS, kappa=160, log_mass=48)
    mask = block_mask(head.a, head.valid, head.settings, head.tile)
    assert mask.any() and not mask.all()
    turns, z_of_rows = found(head, params)
    z, blocks, expected = {}, {}, {}
    for cycle, (row, column, turn, first, inputs) in enumerate(turns, 10):
        if first:
            z[cycle - BlockRules.row_latency] = z_of_rows[row][turn] | {"i_z_turn": turn}
        blocks[cycle] = inputs
        if turn == params.predictor_turns - 1:
            expected[cycle + latency] = {"o_keep": mask[row, column]}
    held = {0: held_settings(head.settings)}
    await play(dut, {"i_z_valid": z, "i_valid": blocks}, held, {"o_valid": expected})


@on_every_run
def test_block_rules(simulator, config):
    run_bench(BlockRules, __name__, simulator, config)
