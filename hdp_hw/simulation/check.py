"""A run of the core held against its golden models, bit for bit and cycle for cycle."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.errors import Mismatch
from hdp_hw.golden.bits.core.attention_core import HeadResult, attend
from hdp_hw.golden.bits.core.plane_loader import plane_error
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan
from hdp_hw.spec.params import ParameterError, ceil_div
from hdp_hw.spec.settings import HeadError, Verdict


@dataclass(frozen=True, eq=False)
class Expected:
    """What the golden models say of one job: an error, or a result; and the plan of the cycle model."""

    error: HeadError
    result: HeadResult | None
    plan: HeadPlan


def expect(job, params, table=None):
    """Expected of a HeadJob, well-formed or not; table : of a linear layer's activation."""
    settings, planes = job.settings, job.planes(params)
    n_beats = {name: len(beats) for name, beats in planes.items()}
    try:
        result = attend(job.q, job.k, job.v, settings, params, table)
    except ParameterError:
        return Expected(HeadError.SETTINGS, None, HeadPlan.refused(settings, n_beats))
    plan = HeadPlan.of(settings, result, params)
    slices = params.slices(settings.head_dim)
    shapes = {"integer": (settings.n_q * (not settings.reuse), settings.n_k, ceil_div(slices, 4))}
    shapes |= {"fraction": shapes["integer"], "value": (0, settings.n_k, 1 if settings.linear else ceil_div(slices, 2))}
    errors = [
        plane_error([(1, beat[-1]) if name == "value" else beat[1:] for beat in beats], *shapes[name])
        for name, beats in planes.items()
    ]
    error = next((error for error in errors if error != HeadError.NONE), HeadError.NONE)
    if error != HeadError.NONE:
        plan = plan.malformed(n_beats, predicted=errors[0] == HeadError.NONE)
    return Expected(error, result, plan)


def check(run, expected, params, cycles=True):
    """Compare a Run with its jobs' Expected; returns the CoreCycles predicted. Raises Mismatch.

    cycles : whether no stream stalled, so that clock cycles must be the predicted ones.
    """
    for index, (outcome, golden) in enumerate(zip(run.heads, expected, strict=True)):
        _same(f"head {index}: error", outcome.error, golden.error)
        if golden.error != HeadError.NONE:
            _same(f"head {index}: verdict", outcome.verdict, Verdict.ERROR)
            continue
        for name in ("verdict", "n_visited", "n_kept", "theta_head"):
            _same(f"head {index}: {name}", getattr(outcome, name), getattr(golden.result, name))
        wrong = np.argwhere(outcome.output != golden.result.output)
        if len(wrong):
            at = tuple(wrong[0].tolist())
            values = f"{outcome.output[at]}, the golden model {golden.result.output[at]}"
            raise Mismatch(f"head {index}: {len(wrong)} elements of the output differ; at {at} the core has {values}")
    predicted = core_cycles([golden.plan for golden in expected], params)
    if cycles:
        _same("clock cycles of the statuses", [outcome.done for outcome in run.heads], predicted.done)
        for name in ("first_busy", "last_busy", "total_busy"):
            _same(name, getattr(run, name), getattr(predicted, name))
    return predicted


def _same(what, got, golden):
    if got != golden:
        raise Mismatch(f"{what}: the core has {got!r}, the golden model {golden!r}")
