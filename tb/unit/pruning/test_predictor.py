"""Prediction of whole heads: mask, sums, verdict and cycles."""

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.golden.bits.pruning.head_verdict import head_verdict
from hdp_hw.golden.cycles.pruning.predictor import predictor_cycles
from hdp_hw.rtl.pruning.predictor import Predictor
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.spec.timing import PREDICTOR_ROWS
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_params,
    bench_rng,
    held_settings,
    random_head,
    random_heads,
    run_bench,
)

RULES = [Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS]
WORD_LATENCY = 5  # from the last read of a word's last tile to the word


def arrivals(params, head, begin, interval, rng):
    """Cycle of each visited tile's arrival as early as the credits allow, and what follows.

    interval : cycles from tile to tile, in turns of a tile, None for random.
    """
    turns = params.predictor_turns
    cycles, last_tiles, cycle = [], [], begin
    for row, n in enumerate(head.n_tiles):
        if row >= PREDICTOR_ROWS:
            done = predictor_cycles(last_tiles, head.n_tiles[:row], params).row_done
            cycle = max(cycle, done[row - PREDICTOR_ROWS])
        for _ in range(n):
            cycles.append(cycle)
            cycle += interval * turns if interval else turns + int(rng.choice([0, 0, 0, 1, 4, 29]))
        last_tiles.append(cycles[-1])
    return cycles, predictor_cycles(last_tiles, head.n_tiles, params)


def outcome(head):
    """Golden mask, verdict and totals of a head."""
    valid, tile = head.valid, head.tile
    mask = block_mask(head.a, valid, head.settings, tile)
    theta_head = int(np.abs(head.a[valid]).sum())
    n_kept, n_visited = int(mask.sum()), sum(head.n_tiles)
    verdict = int(head_verdict(theta_head, int(valid.sum()), n_kept, n_visited, head.settings))
    return mask, {"o_verdict": verdict, "o_n_kept": n_kept, "o_n_visited": n_visited, "o_theta_head": theta_head}


def with_verdict(head, tau_head=0, min_keep=0):
    """The head with thresholds at the limit of its own importance or kept share, plus the given difference."""
    _, totals = outcome(head)
    mean = -(-totals["o_theta_head"] * 256 // int(head.valid.sum()))
    share = -(-totals["o_n_kept"] * 256 // totals["o_n_visited"])
    settings = vars(head.settings) | {
        "tau_head": max(0, mean + tau_head) if tau_head is not None else 0,
        "min_keep": min(256, max(0, share + min_keep)) if min_keep is not None else 0,
    }
    return type(head)(type(head.settings)(**settings), head.a, head.tile)


def schedule(params, heads, rng):
    """Beats, held inputs and expected outputs of ``[(head, interval)]``, one after another."""
    tiles, held, row_done, words, rows, done = {}, {}, {}, {}, {}, {}
    begin, turns = 3, params.predictor_turns
    for head, interval in heads:
        held[begin] = held_settings(head.settings)
        cycles, predicted = arrivals(params, head, begin, interval, rng)
        for cycle, (row, column, a, valid, first, last) in zip(cycles, head.tiles(), strict=True):
            tiles[cycle] = {
                "i_a": a,
                "i_valid_elements": valid,
                "i_first": first,
                "i_last": last,
                "i_last_row": row == len(head.n_tiles) - 1,
                "i_column": column,
                "i_row": row,
            }
        mask, totals = outcome(head)
        pruned = ~np.kron(mask, np.ones((head.tile, head.tile), bool)) & head.valid
        sums = np.where(pruned, head.a, 0).sum(1).reshape(-1, head.tile)
        row_done |= {cycle: {} for cycle in predicted.row_done}
        for row, (start, n) in enumerate(zip(predicted.stage_c, head.n_tiles, strict=True)):
            for index in range(-(-n // params.mask_word)):
                low = index * params.mask_word
                high = min(n, low + params.mask_word)
                words[start + high * turns - 1 + WORD_LATENCY] = {
                    "o_mask_row": row,
                    "o_mask_index": index,
                    "o_mask": sum(int(bit) << k for k, bit in enumerate(mask[row, low:high])),
                    "o_mask_last": high == n,
                }
            rows[start + (n + 1) * turns - 2 + WORD_LATENCY] = {  # the sums wait until the tile is decided
                "o_row": row,
                "o_pruned_sum": sums[row],
                "o_n_kept_tiles": mask[row].sum(),
                "o_last_kept": mask[row, n - 1],
            }
        done[predicted.done] = totals
        begin = predicted.done + 1
    expected = {"o_row_done": row_done, "o_mask_valid": words, "o_row_valid": rows, "o_done": done}
    return {"i_valid": tiles}, held, expected


@cocotb.test()
async def corners(dut):
    """Short, ragged and causal heads under every rule, at every pace, one after another without a pause."""
    params, rng = bench_params(), bench_rng()
    intervals = [1, 2, None, 1, 3]
    heads = random_heads(rng, params, RULES, 24)
    await play(dut, *schedule(params, [(head, intervals[i % 5]) for i, head in enumerate(heads)], rng))


@cocotb.test()
async def full_rate(dut):
    """Rows long enough for the stages to keep up with the array; the longest rows; the most rows."""
    params, rng = bench_params(), bench_rng()
    longest, tile = params.max_seq_len, params.tile
    heads = [
        random_head(rng, params, 6 * tile, longest, Rule.MASS, log_mass=64, kappa=160),
        random_head(rng, params, 6 * tile - 1, 17 * tile, Rule.MARGIN),
        random_head(rng, params, 24 * tile, 24 * tile, Rule.ROW_THRESHOLD, causal=1),
        random_head(rng, params, longest, 1, Rule.MARGIN),
    ]
    await play(dut, *schedule(params, [(head, 1) for head in heads], rng))


@cocotb.test()
async def verdicts(dut):
    """Thresholds just above, at and below a head's own importance and kept share."""
    params, rng = bench_params(), bench_rng()
    heads = []
    for rule in RULES:
        strict = {"margin": 0, "rho": 128, "log_mass": 16}
        head = random_head(rng, params, 2 * params.tile - 1, 2 * params.tile, rule, "small", **strict)
        heads += [with_verdict(head, difference, None) for difference in (-1, 0, 1)]
        heads += [with_verdict(head, None, difference) for difference in (-1, 0, 1)]
        heads += [with_verdict(head, 1, 1)]
    found = {outcome(head)[1]["o_verdict"] for head in heads}
    assert found == {Verdict.SPARSE, Verdict.PRUNED, Verdict.FALLBACK}
    await play(dut, *schedule(params, [(head, 1) for head in heads], rng))


@pytest.mark.parametrize("config", ["tiny", "wide"])
def test_predictor(simulator, config):
    run_bench(Predictor, __name__, simulator, config)


@pytest.mark.parametrize("config", [pytest.param("octo", marks=pytest.mark.slow), "swift"])
def test_predictor_of_other_turns(config):
    """Longest adder trees, and heads of fewer rows than the ring has; a tile in one turn."""
    run_bench(Predictor, __name__, "icarus", config)
