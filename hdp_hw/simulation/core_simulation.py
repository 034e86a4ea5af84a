"""The core in a compiled simulation: whole heads in, outputs and clock cycles out."""

from copy import copy
from dataclasses import dataclass
from math import ceil

import numpy as np

from hdp_hw.driver.errors import SimulationError
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.simulation.compiled_model import CACHE, NO_STALLS, CompiledModel
from hdp_hw.simulation.head_job import beats_of
from hdp_hw.spec.settings import HeadError, Verdict


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one head produced.

    output : int64 [n_q, d], None after an error; n_visited, n_kept : blocks; theta_head : its importance; done : the
    clock cycle in which its status was taken.
    """

    output: np.ndarray | None
    verdict: Verdict
    error: HeadError
    n_visited: int
    n_kept: int
    theta_head: int
    done: int


@dataclass(frozen=True, eq=False)
class Run:
    """What several heads in a row produced; clock cycle 0 is the one in which the first settings are offered.

    heads : Outcome of each; first_busy, last_busy : clock cycles between which the array worked, None if it never did;
    total_busy : in how many it did; masks : ``(row, index, word, last)`` of each beat of ``o_mask``; counters : of
    ``o_counters``, since the last reset; cycles : how many were simulated.
    """

    heads: list
    first_busy: int | None
    last_busy: int | None
    total_busy: int
    masks: list
    counters: dict
    cycles: int

    @property
    def array_time(self):
        """Clock cycles from the array's first to its last."""
        return 0 if self.first_busy is None else self.last_busy - self.first_busy + 1


class CoreSimulation:
    """A core, compiled and simulated; runs follow each other without a reset, except by :meth:`reset`.

    Parameters
    ----------
    params : HdpParams
    cache : pathlib.Path
        Where compiled models are kept.

    Raises
    ------
    SimulatorMissing
        When Verilator or a C++ compiler is not installed.
    """

    def __init__(self, params, cache=CACHE):
        self.params = params
        self.model = CompiledModel(AttentionCore(params), "hdp_core", cache)

    def copy(self):
        """Another core of the same kind, fresh from reset."""
        twin = copy(self)
        twin.model = self.model.copy()
        return twin

    def reset(self):
        """Forget all heads inside, and the counters."""
        self.model.reset()

    def load(self, table):
        """Write an activation's table, int [2^SEGMENT_BITS, 2], which linear layers use from the next run on."""
        lines = [(index, left, slope) for index, (left, slope) in enumerate(np.asarray(table).tolist())]
        inputs = {name: [] for name in self.model.inputs} | {"i_segment": lines}
        self.model.run(inputs, "o_status", 1, len(lines) + 2)

    def run(self, jobs, stalls=NO_STALLS, timeout=None):
        """Run ``jobs`` (HeadJob) back to back; returns a Run.

        ``timeout`` is in clock cycles; without, it is several times what the dense rule takes. Raises SimulationError
        when it passes before the last status, or when something is left over after that.
        """
        beats = {name: [] for name in self.model.inputs} | beats_of(jobs, self.params)
        timeout = timeout or ceil(stalls.slowdown * self._ample_time(jobs, beats))
        outputs, taken, cycles = self.model.run(beats, "o_status", len(jobs), timeout, stalls)
        n_heads = outputs["o_status"].count
        left = ", ".join(f"{len(beats[name]) - n} beats of {name}" for name, n in taken.items() if n < len(beats[name]))
        if n_heads < len(jobs):
            raise SimulationError(
                f"{n_heads} of {len(jobs)} heads ended within {timeout} clock cycles; {outputs['o'].count} beats of o "
                f"came out; not taken: {left or 'nothing'}"
            )
        if left:
            raise SimulationError(f"all {n_heads} heads ended, and the core did not take {left}")
        busy, masks = outputs["o_busy"], outputs["o_mask"]
        return Run(
            self._outcomes(jobs, outputs["o_status"], outputs["o"]),
            busy.first if busy.count else None,
            busy.last if busy.count else None,
            busy.count,
            list(zip(*(masks[name] for name in ("row", "index", "word", "last")))),
            {name.removeprefix("o_counters_"): count for name, count in self.model.read_levels().items()},
            cycles,
        )

    def _outcomes(self, jobs, statuses, beats):
        """Outcome of each job, from the beats of ``o_status`` and ``o``."""
        elements = beats.elements("data", self.params.out_lanes)
        outputs = np.split(elements, np.flatnonzero(beats["last"]) + 1)  # and what comes after the last `last`
        outcomes = []
        for index, job in enumerate(jobs):
            status = {name: statuses[name][index] for name in statuses.ports.fields}
            verdict, error = Verdict(status.pop("verdict")), HeadError(status.pop("error"))
            output = None
            if verdict != Verdict.ERROR:
                output = outputs.pop(0)
                if output.size != np.prod(job.output_shape):
                    raise SimulationError(f"head {index}: {output.size} elements of output, not {job.output_shape}")
                output = output.reshape(job.output_shape)
            done = int(statuses.cycles[index])
            outcomes.append(Outcome(output, verdict, error, done=done, **status))
        if sum(map(len, outputs)):
            raise SimulationError(f"{sum(map(len, outputs))} beats of o belong to no head")
        return outcomes

    def _ample_time(self, jobs, beats):
        """Clock cycles in which the jobs surely end when nothing stalls."""
        tile = self.params.tile
        array = sum(
            4 * self.params.slices(q.shape[1]) * ceil(len(q) / tile) * ceil(len(k) / tile)
            for q, k in ((job.q, job.k) for job in jobs)
        )
        drain = sum(int(np.prod(job.output_shape)) for job in jobs)
        return 20_000 + 4 * (array + drain + sum(map(len, beats.values())))
