"""The default back end: the golden model of the co-processor, and its clock cycles. It takes numpy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.driver.backend import HeadRecord, LayerJob, LayerRun
from hdp_hw.driver.checks import params_of, whole
from hdp_hw.driver.errors import JobError
from hdp_hw.driver.memory_layout import JobLayout
from hdp_hw.driver.norm_job import NormRun
from hdp_hw.driver.norm_layout import norm_fields
from hdp_hw.golden.bits.core.attention_core import HeadResult, attend
from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.bits.shell.job import attend_heads, traffic
from hdp_hw.golden.bits.shell.norm_lane import exponents, norm_rows
from hdp_hw.golden.cycles.shell.job import JobCycles, cycles
from hdp_hw.golden.cycles.shell.norm_lane import NormPlan
from hdp_hw.spec.formats import NORM_ADDRESSES, REGION_ALIGNMENT
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Verdict


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a job lies in memory.

    places : ``{matrix: (address, bytes between rows, bytes between heads)}`` as of golden.cycles.shell.job; "table" is
    there if one is read, "record" if records are written. norm : NormPlan of the job's norm.
    """

    places: Mapping[str, tuple[int, int, int]]
    norm: NormPlan | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """What the job's clock cycles depend on of it: where bursts begin, and what the norm's rows are like."""
        of_heads = tuple((name, at % REGION_ALIGNMENT, *strides) for name, (at, *strides) in self.places.items())
        if self.norm is None:
            return of_heads
        fields = {name: n % REGION_ALIGNMENT if name in NORM_ADDRESSES else n for name, n in self.norm.fields.items()}
        return *of_heads, self.norm.address % REGION_ALIGNMENT, *fields.items(), *self.norm.exponents


class Emulator:
    """Gives the co-processor's output, bit for bit, its counts, its bytes and its clock cycles, but no stalls.

    Parameters
    ----------
    config : str or HdpParams
        A named configuration, or a TOML file, or parameters.
    read_latency, write_latency : int
        Clock cycles in which the memory answers, at least 1, without ever stalling; see
        :mod:`golden.cycles.shell.memory`.
    timed : bool
        False: it counts no clock cycles, which takes most of its time.

    Raises
    ------
    ParameterError
        There is no such configuration, or a latency is no whole number from 1 on.
    """

    def __init__(
        self,
        config: str | Path | HdpParams = "edge",
        read_latency: int = 1,
        write_latency: int = 1,
        timed: bool = True,
    ) -> None:
        self.params, self.timed = params_of(config), timed
        self.latencies = whole("read_latency", read_latency, 1), whole("write_latency", write_latency, 1)
        self._cycles: dict[Any, JobCycles] = {}

    def run(self, job: LayerJob, placement: Placement | None = None) -> LayerRun:
        """LayerRun of a LayerJob, without those that follow.

        placement : where it lies, if not as JobLayout has it. Raises ParameterError, and JobError if it takes longer
        than its timeout.
        """
        placement = placement or self._placement(job)
        if job.linear:
            heads = zip(job.k, job.v, job.settings, strict=True)
            results = [attend(job.q[0], k, v, settings, self.params, job.table) for k, v, settings in heads]
        else:
            results = attend_heads(job.q, job.k, job.v, job.settings, self.params) if job.settings else []
        verdicts = [result.verdict for result in results]
        cycles = self.cycles(job, results, placement)
        counters = {
            **cycles.counters,
            **traffic(
                results,
                job.settings,
                self.params,
                table="table" in placement.places and not job.linear,
                records="record" in placement.places,
                served=cycles.served,
                planes=job.planes,
                chain=bool(job.chain),
                norm=placement.norm.fields if placement.norm else None,
            ),
            "tiles_visited": sum(result.n_visited for result in results),
            "tiles_kept": sum(result.n_kept for result in results),
            "heads": len(results),
            "heads_pruned": verdicts.count(Verdict.PRUNED),
            "heads_fallback": verdicts.count(Verdict.FALLBACK),
        }
        if 0 < job.timeout_cycles < cycles.counters.get("cycles", 0):
            raise JobError("timeout")
        records = tuple(HeadRecord(r.verdict, r.n_visited, r.n_kept, r.theta_head) for r in results)
        output = np.stack([result.output for result in results]) if results else job.q
        if job.linear:
            kind = "<i2" if job.settings[0].words else "i1"
            output = np.concatenate(output.astype(np.int8), -1).view(kind).astype(np.int64)
        if job.planes:
            integer, fraction = split(output, self.params.digit_width)
            output = (integer << self.params.digit_width) + fraction
        return LayerRun(output, records, counters, _norm_run(job, placement.norm))

    def cycles(self, job: LayerJob, results: list[HeadResult], placement: Placement | None = None) -> JobCycles:
        """hdp_hw.golden.cycles.shell.job.JobCycles of a LayerJob whose heads have these HeadResults.

        Those of a job of dense heads are computed once: operands, and where its buffer lies, do not change them.
        """
        placement = placement or self._placement(job)
        if not self.timed:
            return JobCycles(0, {}, [], min(len(results), self.params.n_cores))
        how: dict[str, Any] = {
            "n_kv_heads": len(job.k),
            "table": "table" in placement.places and not job.linear,
            "records": "record" in placement.places,
            "planes": job.planes,
            "chain": job.chain and REGION_ALIGNMENT + job.chain % REGION_ALIGNMENT,
        }
        settings, places = job.settings, dict(placement.places)
        if any(result.verdict != Verdict.DENSE for result in results):
            return cycles(results, settings, places, self.params, self.latencies, norm=placement.norm, **how)
        key = settings, *placement.shape, *how.values()
        if key not in self._cycles:
            made = cycles(results, settings, places, self.params, self.latencies, norm=placement.norm, **how)
            self._cycles[key] = made
        return self._cycles[key]

    def _placement(self, job: LayerJob) -> Placement:
        """As JobLayout has it. Raises ParameterError."""
        regions = JobLayout.of(job, self.params).regions
        places = {name: (each.offset, each.row_stride, each.head_stride) for name, each in regions.items()}
        if not job.has_table and job.table is None:
            places.pop("table", None)
        norm = job.norm
        if norm is None:
            return Placement(places)
        fields = norm_fields(norm.validate(self.params), regions, 0)
        return Placement(places, NormPlan(regions["norm"].offset, fields, exponents(fields, norm.x, norm.y)))


def _norm_run(job: LayerJob, plan: NormPlan | None) -> NormRun | None:
    """NormRun of a job's norm."""
    if job.norm is None or plan is None:
        return None
    words, operands = norm_rows(plan.fields, job.norm.x, job.norm.y, job.norm.scales)
    return NormRun(words if job.norm.words else None, operands if job.norm.operands else None)
