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
    run_bench,
)
from tb.unit.pruning.test_block_distance import distances


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


@cocotb.test()
async def heads(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    rows, tiles, held, expected, cycle = {}, {}, {}, {}, 0
    random = random_heads(rng, params, [Rule.MASS, Rule.MARGIN, Rule.ROW_THRESHOLD], 36)
    for head in [*edges(rng, params), *random]:
        cycle += latency
        held[cycle] = held_settings(head.settings)
        mask = block_mask(head.a, head.valid, head.settings, head.tile)
        _, nearest, exps = distances(head)
        for row, column, _, _, first, _ in head.tiles():
            if first:  # the limits apply from row_latency after the sums on
                cycle += 1
                z = exps[row].sum(0) if exps is not None else np.zeros(head.tile)
                rows[cycle] = {"i_z": z}
                cycle += BlockRules.row_latency - 1
            cycle += int(rng.choice([1, 1, 1, 2]))
            keep = mask[row, column]
            is_threshold = head.settings.rule == Rule.ROW_THRESHOLD
            tiles[cycle] = {
                "i_distance": nearest[row, column],
                "i_above": keep if is_threshold else rng.integers(0, 2),
            }
            expected[cycle + latency] = {"o_keep": keep}
    await play(dut, {"i_row_valid": rows, "i_valid": tiles}, held, {"o_valid": expected})


@cocotb.test()
async def rows_back_to_back(dut):
    """Limits change just in time while blocks of the previous row are still entering."""
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    head = random_head(rng, params, 6 * params.tile, 9 * params.tile, Rule.MASS, kappa=160, log_mass=48)
    mask = block_mask(head.a, head.valid, head.settings, head.tile)
    assert mask.any() and not mask.all()
    _, nearest, exps = distances(head)
    rows, tiles, expected = {}, {}, {}
    for cycle, (row, column, _, _, first, _) in enumerate(head.tiles(), 10):
        if first:
            rows[cycle - BlockRules.row_latency] = {"i_z": exps[row].sum(0)}
        tiles[cycle] = {"i_distance": nearest[row, column]}
        expected[cycle + latency] = {"o_keep": mask[row, column]}
    held = {0: held_settings(head.settings)}
    await play(dut, {"i_row_valid": rows, "i_valid": tiles}, held, {"o_valid": expected})


@on_every_run
def test_block_rules(simulator, config):
    run_bench(BlockRules, __name__, simulator, config)
