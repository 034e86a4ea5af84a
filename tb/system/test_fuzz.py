"""Random heads of all shapes, settings and faults through the compiled core, against the golden models.

An episode begins with a reset and runs a few batches. ``HDP_SEED`` and ``HDP_FUZZ_EPISODE`` (both in the message of a
failure) replay a single one; ``HDP_FUZZ_SECONDS`` is how long a configuration runs.
"""

import os
import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from hdp_hw.driver.errors import Mismatch, SimulationError
from hdp_hw.golden.bits.array.tile_array import integer_scores
from hdp_hw.golden.stimulus import corner_operands, random_head
from hdp_hw.simulation.check import check, expect
from hdp_hw.simulation.compiled_model import NO_STALLS, Stalls
from hdp_hw.simulation.core_simulation import CoreSimulation
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import ArrayMode, HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule, field_limits
from tb.lib.core_bench import mask_words
from tb.lib.linear_layers import random_layer, random_table
from tb.lib.simulation import DEFAULT_SEED, MODELS

SEED = int(os.environ.get("HDP_SEED", DEFAULT_SEED))
SECONDS = float(os.environ.get("HDP_FUZZ_SECONDS", "60"))
EPISODE = os.environ.get("HDP_FUZZ_EPISODE")

SIZES = {
    "tiny": CONFIGS["tiny"],
    "edge": CONFIGS["edge"],
    "wide": HdpParams(tile=8, lanes=64, digit_width=4, max_head_dim=64, max_seq_len=64),
    "encoder": replace(CONFIGS["tiny"], encoder=1),
    "narrow": HdpParams(tile=2, lanes=4, digit_width=8, max_head_dim=16, max_seq_len=32),
}


def random_length(rng, params):
    """From 1 to the maximum, often short, seldom the maximum itself."""
    longest = params.max_seq_len if rng.random() < 0.05 else min(params.max_seq_len, params.tile * 24)
    return longest if rng.random() < 0.05 else int(rng.integers(1, 1 + int(longest ** rng.uniform(0.3, 1))))


def random_operands(rng, n_q, n_k, d, params):
    """Integers of 2w bits: of the whole range, small, or at the corners."""
    kind = rng.integers(3)
    if kind == 0:
        corners = corner_operands(n_q, n_k, d, params)
        return corners[rng.choice(list(corners))]
    high = 2 ** (params.operand_width - 1) if kind == 1 else 2**params.digit_width
    return tuple(rng.integers(-high, high, (n, d)) for n in (n_q, n_k, n_k))


def random_job(rng, params):
    """A well-formed head: settings as calibration makes them, or anything legal; or a linear layer."""
    if params.encoder and rng.random() < 0.5:
        return random_layer(rng, params)
    n_q, n_k = random_length(rng, params), random_length(rng, params)
    d = params.slice_width * int(rng.integers(1, params.max_slices + 1))
    flags = {"causal": True}
    if rng.random() < 0.7:
        flags = {name: bool(rng.integers(2)) for name in ("compensate", "mean_output")}
    rule = Rule(rng.integers(4))
    if rng.random() < 0.5:
        head = random_head(rng, n_q, n_k, d, rng.uniform(0.2, 6))
        threshold = {Rule.ROW_THRESHOLD: rng.uniform(-0.9, 0.9), Rule.MARGIN: rng.uniform(0, 6)}
        settings = head.settings(params, rule, threshold.get(rule, 2 ** rng.uniform(-12, 0)), **flags)
        operands = head.quantised(params)
    else:
        operands = random_operands(rng, n_q, n_k, d, params)
        limits = field_limits(params)
        free = ("rho", "margin", "log_mass", "kappa", "kappa_shift", "mult", "shift")
        fields = {name: int(rng.integers(limits[name][0], limits[name][1] + 1)) for name in free}
        settings = HeadSettings(n_q, n_k, d, rule, **flags, **fields)
    if rng.random() < 0.3:
        importance = np.abs(integer_scores(*operands[:2], params.digit_width)).mean()
        tau_head = min(int(256 * importance * rng.uniform(0.5, 2)), field_limits(params)["tau_head"][1])
        settings = replace(settings, tau_head=tau_head)
    if rng.random() < 0.3:
        settings = replace(settings, min_keep=int(rng.integers(257)))
    return HeadJob(settings, *operands)


def with_illegal_settings(rng, job, params):
    """The job with one field, or two, beyond what the core takes."""
    changes = [{"n_q": 0}, {"n_k": 0}, {"head_dim": 0}, {"rho": -256}, {"min_keep": int(rng.integers(257, 512))}]
    changes += [{name: params.max_seq_len + 1} for name in ("n_q", "n_k")]
    changes += [{"head_dim": params.max_head_dim + 1}, {"causal": True, "compensate": True}]
    changes += [{"causal": True, "mean_output": True}]
    if job.settings.linear:
        changes += [{"rule": Rule.MASS}, {"n_k": job.settings.n_k + 1}, {"n_q": 2 * params.max_rows(job.q.shape[1])}]
    change = changes[rng.integers(len(changes))]
    return replace(job, settings=replace(job.settings, **change), beats=job.planes(params))


def with_malformed_plane(rng, job, params):
    """The job with one plane, or more, of which beats are missing, repeated or out of order."""
    planes = {}
    for name in rng.choice(STREAMS, rng.integers(1, 3), replace=False).tolist():
        beats = [beat[:-1] for beat in job.planes(params)[name]]
        for _ in range(rng.integers(1, 3)):
            at, other = (int(x) for x in rng.integers(len(beats), size=2))
            if rng.random() < 0.3 and len(beats) > 1:
                del beats[at]
            elif rng.random() < 0.5:
                beats.insert(at, beats[other])
            else:
                beats[at], beats[other] = beats[other], beats[at]
        beats = [(*beat, index == len(beats) - 1) for index, beat in enumerate(beats)]
        if expect(
            replace(job, beats={name: beats}), params, random_table(rng)
        ).error:  # not where beats alike were swapped
            planes[name] = beats
    return replace(job, beats=planes)


def random_jobs(rng, params):
    jobs = []
    for _ in range(rng.integers(1, 9)):
        job = random_job(rng, params)
        fault = rng.random()
        if fault < 0.06:
            job = with_illegal_settings(rng, job, params)
        elif fault < 0.2:
            job = with_malformed_plane(rng, job, params)
        jobs.append(job)
        while jobs[-1] is job and job.settings.linear and fault >= 0.2 and rng.random() < 0.4:
            of = job.settings
            again = random_layer(rng, params, of.n_q, None, of.head_dim)
            job = replace(again, q=job.q, settings=replace(again.settings, reuse=True))
            jobs.append(job)
    return jobs


def run_episode(rng, simulation):
    """Raises Mismatch or SimulationError; returns the number of heads and of clock cycles."""
    params = simulation.params
    simulation.reset()
    table = random_table(rng)
    if params.encoder:
        simulation.load(table)
    counters, n_heads, n_cycles = dict.fromkeys(("cycles", *(mode.name.lower() for mode in ArrayMode)), 0), 0, 0
    for _ in range(4):
        jobs, stalls = random_jobs(rng, params), NO_STALLS
        if rng.random() < 0.4:
            stalls = Stalls(*rng.uniform(0, 0.4, 2), length=int(rng.choice([1, 1, 40])), seed=int(rng.integers(2**32)))
        expected = [expect(job, params, table) for job in jobs]
        run = simulation.run(jobs, stalls)
        check(run, expected, params, cycles=stalls == NO_STALLS)
        predicted = [golden for golden in expected if golden.plan.predicted]
        masks = [word for x in predicted for word in mask_words(x.result.mask, x.plan.visited, params)]
        if run.masks != masks:
            raise Mismatch("the masks differ")
        for mode in ArrayMode:
            name = mode.name.lower()
            counters[name] += sum(golden.plan.mode_cycles(params)[mode] for golden in expected)
            if run.counters[name] != counters[name]:
                raise Mismatch(f"the counter of {name} says {run.counters[name]}, not {counters[name]}")
        n_heads, n_cycles = n_heads + len(jobs), n_cycles + run.cycles
    return n_heads, n_cycles


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_fuzz(size):
    simulation = CoreSimulation(SIZES[size], MODELS)
    end, heads, cycles = time.monotonic() + SECONDS, 0, 0
    for episode in [int(EPISODE)] if EPISODE else count():
        try:
            of_episode = run_episode(np.random.default_rng([SEED, episode]), simulation)
        except (Mismatch, SimulationError) as error:
            pytest.fail(f"HDP_SEED={SEED} HDP_FUZZ_EPISODE={episode}, {size}: {error}")
        heads, cycles = heads + of_episode[0], cycles + of_episode[1]
        if time.monotonic() > end:
            break
    print(f"{size}: {episode + 1} episodes, {heads} heads, {cycles} clock cycles")
