"""Verdicts, against golden.bits.pruning.head_verdict."""

import cocotb

from hdp_hw.golden.bits.pruning.head_verdict import head_verdict
from hdp_hw.rtl.pruning.head_verdict import HeadVerdict
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict, field_limits
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    PARAMS,
    bench_latency,
    bench_params,
    bench_rng,
    held_settings,
    largest_score,
    on_every_run,
    run_bench,
)

TOTALS_LATENCY = {4: 21, 8: 29}  # by digit width


def totals(rng, params):
    """``(rule, tau_head, min_keep, theta_head, n_valid, n_kept, n_visited)``: corners, then near either threshold."""
    tau_limit = field_limits(params)["tau_head"][1]
    n_valid, n_visited = params.max_seq_len**2, params.max_blocks**2
    theta = largest_score(params) * n_valid
    for rule in (Rule.MASS, Rule.DENSE):
        yield rule, tau_limit, 256, theta, n_valid, n_visited, n_visited
        yield rule, tau_limit, 256, 0, n_valid, 0, n_visited
        yield rule, 0, 256, 0, 1, 0, 1
        yield rule, 0, 0, 0, n_valid, 0, n_visited
    for _ in range(60):
        n_valid, n_visited = (int(rng.integers(1, n + 1)) for n in (params.max_seq_len**2, params.max_blocks**2))
        tau_head = int(rng.integers(0, tau_limit + 1)) >> int(rng.integers(0, 12))
        min_keep = int(rng.integers(0, 257))
        theta = max(0, tau_head * n_valid // 256 + int(rng.integers(-1, 2)))
        theta = min(theta, largest_score(params) * params.max_seq_len**2)
        n_kept = min(n_visited, max(0, min_keep * n_visited // 256 + int(rng.integers(-1, 2))))
        yield Rule(int(rng.integers(0, 3))), tau_head, min_keep, theta, n_valid, n_kept, n_visited


@cocotb.test()
async def verdicts(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    complete, kept, held, expected, found, cycle = {}, {}, {}, {}, set(), 1
    for rule, tau_head, min_keep, theta_head, n_valid, n_kept, n_visited in totals(rng, params):
        settings = HeadSettings(1, 1, 1, rule, tau_head=tau_head, min_keep=min_keep)
        sums = {"i_theta_head": theta_head, "i_n_valid": n_valid, "i_n_visited": n_visited}
        held[cycle] = held_settings(settings) | sums
        complete[cycle] = {}
        cycle += TOTALS_LATENCY[params.digit_width]
        kept[cycle] = {"i_n_kept": n_kept}
        cycle += latency
        verdict = int(head_verdict(theta_head, n_valid, n_kept, n_visited, settings))
        found.add(verdict)
        expected[cycle] = {"o_verdict": verdict}
        cycle += 1
    assert found == {Verdict.SPARSE, Verdict.PRUNED, Verdict.FALLBACK, Verdict.DENSE}
    await play(dut, {"i_totals_valid": complete, "i_valid": kept}, held, {"o_valid": expected})


@on_every_run
def test_head_verdict(simulator, config):
    run_bench(HeadVerdict, __name__, simulator, config)


def test_totals_latency():
    assert all(HeadVerdict(params).totals_latency == TOTALS_LATENCY[params.digit_width] for params in PARAMS.values())
