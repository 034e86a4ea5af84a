"""What the schedule needs to know of a head, and the clock cycles that its micro-operations take."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.pruning.geometry import existing_blocks, visited_blocks
from hdp_hw.spec.params import ArrayMode, HdpParams, ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """What the schedule needs to know of a head.

    settings : HeadSettings; verdict : Verdict; visited, existing : blocks of each block row that are visited and that
    hold a valid element; executed : bool [blocks_q, blocks_k]; beats : number of beats of each plane, I, F, V.
    """

    settings: HeadSettings
    verdict: Verdict
    visited: list[int]
    existing: list[int]
    executed: np.ndarray
    beats: dict[str, int]

    @classmethod
    def of(cls, settings: HeadSettings, result: HeadResult, params: HdpParams) -> Self:
        """Plan of a head and its ``golden.bits.core.attention_core.HeadResult``."""
        slices = params.slices(settings.head_dim)
        rows = settings.n_q * (not settings.reuse) + settings.n_k
        beats = {"integer": rows * ceil_div(slices, 4), "fraction": rows * ceil_div(slices, 4)}
        beats["value"] = settings.n_k * (1 if settings.linear else ceil_div(slices, 2))
        visited, existing = (f(settings, params.tile).tolist() for f in (visited_blocks, existing_blocks))
        return cls(settings, result.verdict, visited, existing, result.executed, beats)

    def reusing(self) -> "HeadPlan":
        """Plan of a linear layer that has its rows from the head before."""
        settings = replace(self.settings, reuse=True)
        planes = dict.fromkeys(("integer", "fraction"), self.beats["integer"] // (settings.n_q + settings.n_k))
        return replace(self, settings=settings, beats=self.beats | {k: n * settings.n_k for k, n in planes.items()})

    def malformed(self, beats: dict[str, int], predicted: bool) -> "HeadPlan":
        """Plan of the head when a plane of its is malformed: it executes nothing, and is ``predicted`` unless that
        is the I plane."""
        visited = self.visited if predicted else []
        nothing = np.zeros_like(self.executed)
        return HeadPlan(self.settings, Verdict.ERROR, visited, self.existing, nothing, self.beats | beats)

    @classmethod
    def refused(cls, settings: HeadSettings, beats: dict[str, int]) -> Self:
        """Plan of a head whose settings are refused; its planes have ``beats``."""
        return cls(settings, Verdict.ERROR, [], [], np.zeros((0, 0), bool), beats)

    @property
    def predicted(self) -> bool:
        """The head goes through the predictor."""
        return self.settings.rule != Rule.DENSE and bool(self.visited)

    @property
    def full(self) -> bool:
        """All blocks are executed, in full."""
        return self.verdict in (Verdict.DENSE, Verdict.FALLBACK)

    def mode_cycles(self, params: HdpParams) -> dict[ArrayMode, int]:
        """``{ArrayMode: cycles}`` that the head's micro-operations take."""
        cycles = mode_cycles(self.settings, self.verdict, sum(self.visited), self.executed.sum(), params)
        return {mode: int(count) for mode, count in cycles.items()}


def mode_cycles(
    settings: HeadSettings, verdict: Any, n_visited: int, n_kept: Any, params: HdpParams
) -> dict[ArrayMode, Any]:
    """``{ArrayMode: cycles}`` that micro-operations take: of a head, or of several, given arrays but for ``n_visited``.

    Those in which the array waits for the predictor are not among them; :func:`array_cycles` has them too.
    settings : HeadSettings, of which rule and head dimension count; n_kept : blocks that are executed.
    """
    d, full = settings.head_dim, (verdict == Verdict.DENSE) | (verdict == Verdict.FALLBACK)
    full = full | params.exact
    n_full, n_sparse = n_kept * full, n_kept * (1 - full)
    return {
        ArrayMode.INTEGER: (n_predicted(settings, n_visited) + n_sparse) * params.integer_cycles(d),
        ArrayMode.CROSS: n_sparse * params.cross_cycles(d),
        ArrayMode.FULL: n_full * params.slices(d),
        ArrayMode.CONTEXT: n_kept * params.slices(d) * (not settings.linear),
    }


def array_cycles(settings: HeadSettings, verdict: Any, n_visited: int, n_kept: Any, params: HdpParams) -> Any:
    """Clock cycles that a head, or several, block an array without bubbles: micro-operations and waits for the
    predictor. Arguments as of :func:`mode_cycles`."""
    waits = n_predicted(settings, n_visited) * params.predictor_wait(settings.head_dim)
    return sum(mode_cycles(settings, verdict, n_visited, n_kept, params).values()) + waits


def n_predicted(settings: HeadSettings, n_visited: int) -> int:
    """Blocks that the array scores for the predictor, of those that are visited."""
    return 0 if settings.rule == Rule.DENSE else n_visited


def ideal_cycles(plan: HeadPlan, params: HdpParams) -> int:
    """Array cycles of a head on an array without bubbles, see :func:`array_cycles`."""
    return int(array_cycles(plan.settings, plan.verdict, sum(plan.visited), plan.executed.sum(), params))
