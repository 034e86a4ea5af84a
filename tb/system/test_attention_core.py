"""The whole core against its golden models: output, mask, verdict, counters and cycles, bit for bit."""

import os
from dataclasses import replace

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.core.plane_loader import integer_and_fraction, plane_error, value
from hdp_hw.golden.calibration import head_settings, threshold_for_share
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.golden.stimulus import captured_heads, corner_operands, random_head, wide_heads
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.configs import load_config
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import HeadError, Rule, Verdict, field_limits
from tb.lib.core_bench import ADVERSARIAL_STALLS, RANDOM_STALLS, CoreBench, check_heads, output_matrix
from tb.lib.lockstep import start
from tb.lib.simulation import simulate

CONFIG, _, OVERRIDES = os.environ.get("HDP_CONFIG", "tiny").partition(" ")
PARAMS = load_config(CONFIG, [override.split("=") for override in OVERRIDES.split()])[1]
SEQ_LEN = int(os.environ.get("HDP_SEQ_LEN", "32"))  # of the captured heads
SHARE = float(os.environ.get("HDP_SHARE", "0.25"))
PRUNING_RULES = (Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS)


def real_heads(n):
    """Captured heads of MiniLM, or wide ones where the core takes d = 64; the shortest have 32 tokens."""
    heads = wide_heads(max(n, 32)) if PARAMS.max_head_dim >= 64 else captured_heads(max(n, 32))
    return [head.cropped(n) for head in heads]


def job(head, rule=Rule.DENSE, threshold=0.0, **more):
    return HeadJob(head.settings(PARAMS, rule, threshold, **more), *head.quantised(PARAMS))


def random_job(rng, n_q, n_k, d=None, rule=Rule.MASS, threshold=0.05, **more):
    d = d or PARAMS.max_head_dim
    return job(random_head(rng, n_q, n_k, d, rng.uniform(0.5, 3)), rule, threshold, **more)


def mixed_jobs(rng, n=None):
    """Heads of every rule and verdict, short ones."""
    n = n or 3 * PARAMS.tile + 1
    jobs = [random_job(rng, n, n + 1, rule=Rule.DENSE)]
    for rule, threshold in ((Rule.ROW_THRESHOLD, 0.2), (Rule.MARGIN, 1.0), (Rule.MASS, 0.08)):
        jobs.append(random_job(rng, n, n, rule=rule, threshold=threshold))
        jobs.append(random_job(rng, n + 1, n, rule=rule, threshold=threshold, compensate=True))
    jobs.append(random_job(rng, n, n, tau_head=100.0))
    jobs.append(random_job(rng, n, n + 2, tau_head=100.0, mean_output=True))
    jobs.append(random_job(rng, n, n, min_keep=1.0, threshold=0.3))
    return jobs


# -- real heads ----------------------------------------------------------------------------------------------------
@cocotb.test()
async def real_heads_of_every_rule(dut):
    """Captured heads, back to back, under every rule with and without compensation."""
    await start(dut)
    heads = real_heads(SEQ_LEN)[:3]
    jobs = [job(heads[0])]
    for rule in PRUNING_RULES:
        threshold, _ = threshold_for_share(heads, rule, SHARE, PARAMS)
        jobs += [job(heads[index], rule, threshold, compensate=bool(index)) for index in range(2)]
    mean = np.mean([np.abs(attend(*heads[2].quantised(PARAMS), jobs[-1].settings, PARAMS).theta_head)])
    jobs.append(job(heads[2], Rule.MASS, threshold, tau_head=2 * mean / SEQ_LEN**2, mean_output=True))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def real_heads_of_one_rule(dut):
    """Captured heads under the rule HDP_RULE alone, at the kept share HDP_SHARE."""
    rule = Rule[os.environ.get("HDP_RULE", "MASS")]
    await start(dut)
    heads = real_heads(SEQ_LEN)[:2]
    if rule == Rule.DENSE:
        jobs = [job(heads[0])]
    else:
        threshold, _ = threshold_for_share(heads, rule, SHARE, PARAMS)
        jobs = [job(head, rule, threshold, compensate=bool(index)) for index, head in enumerate(heads)]
    await check_heads(dut, PARAMS, jobs)


# -- corners -------------------------------------------------------------------------------------------------------
@cocotb.test()
async def lengths(dut):
    """One query or key, less than a tile, no multiple of a tile, every small head dimension."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    tile, step = PARAMS.tile, PARAMS.slice_width
    jobs = []
    for n_q, n_k in ((1, 1), (1, 5), (5, 1), (tile - 1, tile - 1), (tile + 1, 2 * tile - 1), (3 * tile, 3 * tile + 1)):
        jobs.append(random_job(rng, n_q, n_k, rule=Rule.DENSE))
        jobs.append(random_job(rng, n_q, n_k, compensate=True))
    for slices in range(1, min(6, PARAMS.max_slices) + 1):
        jobs.append(random_job(rng, 5, 6, slices * step, rule=Rule.DENSE))
        jobs.append(random_job(rng, 5, 6, slices * step, compensate=True))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def causal(dut):
    """Causal heads under every rule, with fewer, as many and more queries than keys."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n, jobs = 2 * PARAMS.tile + 1, []
    for n_q, n_k in ((n, n), (n - 2, n + 3), (n + 3, n - 2)):
        for rule, threshold in ((Rule.DENSE, 0), (Rule.ROW_THRESHOLD, 0.4), (Rule.MARGIN, 1.0), (Rule.MASS, 0.1)):
            jobs.append(random_job(rng, n_q, n_k, rule=rule, threshold=threshold, causal=True))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def corner_values(dut):
    """Equal scores, saturating operands, all zero, alternating signs: dense, mass with compensation, row_threshold."""
    await start(dut)
    n, d, jobs = 2 * PARAMS.tile + 1, PARAMS.max_head_dim, []
    for operands in corner_operands(n, n, d, PARAMS).values():
        for rule, more in ((Rule.DENSE, {}), (Rule.MASS, {"compensate": True}), (Rule.ROW_THRESHOLD, {})):
            threshold = 0.1 if rule == Rule.MASS else 0.0
            jobs.append(HeadJob(head_settings(n, n, d, 4.0, 4.0, PARAMS, rule, threshold, **more), *operands))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def extreme_settings(dut):
    """Every numeric setting at both ends of its range."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n, jobs = PARAMS.tile + 1, []
    for changes in (
        {"mult": 0}, {"mult": 255, "shift": 0}, {"shift": 63}, {"kappa": 255, "kappa_shift": 0}, {"kappa": 0},
        {"kappa_shift": 31}, {"log_mass": 0}, {"log_mass": 511}, {"min_keep": 256},
        {"tau_head": field_limits(PARAMS)["tau_head"][1]},
        {"rule": Rule.MARGIN, "margin": 0}, {"rule": Rule.MARGIN, "margin": 2**16 - 1},
        {"rule": Rule.ROW_THRESHOLD, "rho": -255}, {"rule": Rule.ROW_THRESHOLD, "rho": 255},
    ):  # fmt: skip
        plain = random_job(rng, n, n, compensate=bool(len(jobs) % 2))
        jobs.append(replace(plain, settings=replace(plain.settings, **changes)))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def maximum_length(dut):
    """The longest sequence, pruned hard, one query row block and all of them."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = PARAMS.max_seq_len
    jobs = [random_job(rng, PARAMS.tile, n, PARAMS.slice_width, rule=Rule.DENSE)]
    jobs.append(random_job(rng, n, n, PARAMS.slice_width, threshold=0.2, compensate=True))
    await check_heads(dut, PARAMS, jobs)


@cocotb.test()
async def all_heads_pruned(dut):
    """Heads that cost their prediction alone, one after the other; an only dense one among them."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = 4 * PARAMS.tile
    jobs = [random_job(rng, n, n, tau_head=100.0, mean_output=bool(index % 2)) for index in range(6)]
    jobs.insert(3, random_job(rng, n, n, rule=Rule.DENSE))
    await check_heads(dut, PARAMS, jobs)


# -- stalls and resets ---------------------------------------------------------------------------------------------
@cocotb.test()
async def random_stalls(dut):
    """Every stream stalls at random."""
    await start(dut)
    await check_heads(dut, PARAMS, mixed_jobs(np.random.default_rng(cocotb.RANDOM_SEED)), RANDOM_STALLS)


@cocotb.test()
async def adversarial_stalls(dut):
    """Output that is refused for longer than a head takes, so that every queue fills."""
    await start(dut)
    await check_heads(dut, PARAMS, mixed_jobs(np.random.default_rng(cocotb.RANDOM_SEED + 1)), ADVERSARIAL_STALLS)


@cocotb.test()
async def reset_in_mid_head(dut):
    """A reset of a single cycle, at any moment; what follows is as if nothing had been before."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    jobs = mixed_jobs(rng)
    length = core_cycles(
        [HeadPlan.of(j.settings, attend(j.q, j.k, j.v, j.settings, PARAMS), PARAMS) for j in jobs], PARAMS
    ).done[-1]
    for _ in range(3):
        running = cocotb.start_soon(CoreBench(dut, PARAMS, 0).run(jobs, 10 * length))
        for _ in range(int(rng.integers(20, length // 2))):
            await RisingEdge(dut.aclk)
        running.cancel()
        for stream in ("settings", "integer", "fraction", "value"):
            getattr(dut, f"i_{stream}_valid").value = 0
        dut.aresetn.value = 0
        await RisingEdge(dut.aclk)
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)  # the counters that are read now are those after the reset
        await check_heads(dut, PARAMS, jobs[:2])


# -- malformed heads -----------------------------------------------------------------------------------------------
def well_formed_beats(j):
    integer, fraction = integer_and_fraction(j.q, j.k, PARAMS)
    return {"integer": integer, "fraction": fraction, "value": value(j.v, PARAMS)}


def with_last(beats):
    """The beats with ``last`` on the last one alone."""
    return [(*beat[:-1], index == len(beats) - 1) for index, beat in enumerate(beats)]


def malformations(beats, n_words):
    """``{HeadError: beats}``: one beat too few, a row too many, two matrices mixed up (where there are two)."""
    bad = {HeadError.SHORT: with_last(beats[:-1]), HeadError.LONG: with_last(beats + beats[-n_words:])}
    if len(beats[0]) == 3:
        middle = next(index for index, beat in enumerate(beats) if beat[1])
        swapped = [*beats[: middle - 1], beats[middle], beats[middle - 1], *beats[middle + 1 :]]
        bad[HeadError.ORDER] = with_last(swapped)
    return bad


@cocotb.test()
async def malformed_planes(dut):
    """Each plane short, long and out of order: the head ends with that error and no output, the next one is right."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n, jobs, errors, plans = 2 * PARAMS.tile, [], [], []
    for plane in ("integer", "fraction", "value"):
        for rule in (Rule.DENSE, Rule.MASS):
            good = random_job(rng, n, n + 1, rule=rule)
            result = attend(good.q, good.k, good.v, good.settings, PARAMS)
            slices = PARAMS.slices(good.settings.head_dim)
            n_words = ceil_div(slices, 2 if plane == "value" else 4)
            for error, beats in malformations(well_formed_beats(good)[plane], n_words).items():
                if plane != "value":
                    assert plane_error([beat[1:] for beat in beats], n, n + 1, n_words) == error
                jobs += [replace(good, beats={plane: beats}), good]
                errors += [error, HeadError.NONE]
                plan = HeadPlan.of(good.settings, result, PARAMS)
                plans += [plan.malformed({plane: len(beats)}, plane != "integer"), plan]
    await check_errors(dut, jobs, errors, plans)


@cocotb.test()
async def illegal_settings(dut):
    """Settings just beyond a limit: the planes are read to their ends, the status says so, the next head is right."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n, jobs, errors, plans = PARAMS.tile + 1, [], [], []
    changes = [
        {"n_q": 0}, {"n_k": 0}, {"head_dim": 0}, {"n_q": PARAMS.max_seq_len + 1}, {"n_k": PARAMS.max_seq_len + 1},
        {"head_dim": PARAMS.max_head_dim + 1}, {"rho": -256}, {"min_keep": 257}, {"causal": True, "compensate": True},
        {"causal": True, "mean_output": True},
    ]  # fmt: skip
    for change in changes:
        good = random_job(rng, n, n, PARAMS.slice_width)
        planes = well_formed_beats(good)
        bad = replace(good, settings=replace(good.settings, **change), beats=planes)
        jobs += [bad, good]
        errors += [HeadError.SETTINGS, HeadError.NONE]
        result = attend(good.q, good.k, good.v, good.settings, PARAMS)
        plans.append(HeadPlan.refused(bad.settings, {plane: len(beats) for plane, beats in planes.items()}))
        plans.append(HeadPlan.of(good.settings, result, PARAMS))
    await check_errors(dut, jobs, errors, plans)


@cocotb.test()
async def without_predictor(dut):
    """A core of ``pruning`` = 0 refuses what it would need a predictor for, and computes dense heads."""
    await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    jobs, errors, plans, lengths = [], [], [], (1, PARAMS.tile, 3 * PARAMS.tile + 1, 12 * PARAMS.tile)
    changes = ({"rule": Rule.MASS}, {"rule": Rule.ROW_THRESHOLD}, {"compensate": True}, {"mean_output": True})
    for n, change in zip(lengths, changes):
        good = random_job(rng, n, n, rule=Rule.DENSE)
        planes = well_formed_beats(good)
        jobs += [replace(good, settings=replace(good.settings, **change), beats=planes), good]
        errors += [HeadError.SETTINGS, HeadError.NONE]
        plans.append(HeadPlan.refused(jobs[-2].settings, {plane: len(beats) for plane, beats in planes.items()}))
        plans.append(HeadPlan.of(good.settings, attend(good.q, good.k, good.v, good.settings, PARAMS), PARAMS))
    await check_errors(dut, jobs, errors, plans)


async def check_errors(dut, jobs, errors, plans):
    """Errors where they belong, right outputs elsewhere, and the predicted cycles."""
    cycles = core_cycles(plans, PARAMS)
    bench = CoreBench(dut, PARAMS, 0)
    seen = await bench.run(jobs, 2 * cycles.done[-1] + 1000)
    for index, (j, error, observed) in enumerate(zip(jobs, errors, seen, strict=True)):
        assert observed.status["error"] == error, f"head {index}: error {observed.status['error']}, not {error!r}"
        assert (observed.status["verdict"] == Verdict.ERROR) == (error != HeadError.NONE)
        if error == HeadError.NONE:
            result = attend(j.q, j.k, j.v, j.settings, PARAMS)
            assert (output_matrix(observed, *j.q.shape, PARAMS) == result.output).all(), f"head {index}: output"
    assert [observed.done for observed in seen] == cycles.done


# -- pytest --------------------------------------------------------------------------------------------------------
GROUPS = {
    "real": ["real_heads_of_every_rule"],
    "corners": ["lengths", "causal", "corner_values", "extreme_settings", "maximum_length", "all_heads_pruned"],
    "faults": ["random_stalls", "adversarial_stalls", "reset_in_mid_head", "malformed_planes", "illegal_settings"],
}
OTHER_SIZES = (
    "edge",
    "paper",
    "tiny tile=4 lanes=4",
    "paper tile=4 lanes=4",
    "tiny tile=2 lanes=64",
    "paper tile=2 lanes=64",
    "tiny tile=8 lanes=16 max_seq_len=64",
    "paper tile=2 lanes=8 digit_width=8",
    "paper tile=4 lanes=16 digit_width=8 max_head_dim=48",
)


def run(config, simulator, tests, name, **environment):
    label, *overrides = config.split()
    params = load_config(label, [override.split("=") for override in overrides])[1]
    environment = {"HDP_CONFIG": config, **environment}
    # Icarus compiles in a moment and runs slowly, so its runs are kept apart; Verilator's share one build.
    folder = f"core_{config}_{name if simulator == 'icarus' else ''}".strip("_").replace(" ", "_").replace("=", "")
    simulate(
        AttentionCore(params), __name__, simulator, name=folder, top="hdp_core", plusenv=environment, testcase=tests
    )


@pytest.mark.parametrize("group", GROUPS)
def test_attention_core(simulator, group):
    run("tiny", simulator, GROUPS[group], group, HDP_SEQ_LEN="11" if simulator == "icarus" else "32")


@pytest.mark.slow
@pytest.mark.parametrize("config", OTHER_SIZES)
def test_other_sizes(config):
    run(config, "verilator", [test for group in GROUPS.values() for test in group], "all")


def test_without_predictor(simulator):
    run("tiny pruning=0", simulator, ["without_predictor"], "dense")


@pytest.mark.slow
@pytest.mark.parametrize("config", OTHER_SIZES)
def test_other_sizes_under_icarus(config):
    """Short heads only: Icarus simulates the larger arrays at some ten clock cycles a second."""
    run(config, "icarus", ["lengths", "causal"], "short")


@pytest.mark.slow
@pytest.mark.parametrize("rule", Rule)
def test_real_heads_of_128(simulator, rule):
    share = "0.25" if simulator == "verilator" else "0.1"
    run(
        "tiny", simulator, ["real_heads_of_one_rule"], rule.name, HDP_RULE=rule.name, HDP_SEQ_LEN="128", HDP_SHARE=share
    )


@pytest.mark.slow
@pytest.mark.parametrize("rule", Rule)
def test_real_heads_of_256_at_edge(rule):
    run("edge", "verilator", ["real_heads_of_one_rule"], rule.name, HDP_RULE=rule.name, HDP_SEQ_LEN="256")
