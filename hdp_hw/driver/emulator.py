"""The default back end: the golden model of the co-processor, and its clock cycles. It takes numpy alone."""

from pathlib import Path

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
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Verdict


class Emulator:
    """Gives the co-processor's output, bit for bit, its counts, its bytes and its clock cycles, but no stalls.

    Parameters
    ----------
    config : str or HdpParams
        A named configuration, or a TOML file, or parameters.
    read_latency, write_latency : int
        Clock cycles in which the memory answers, at least 1, without ever stalling; see
        :mod:`golden.cycles.shell.memory`.

    Raises
    ------
    ParameterError
        There is no such configuration, or a latency is no whole number from 1 on.
    """

    def __init__(self, config: str | Path | HdpParams = "edge", read_latency: int = 1, write_latency: int = 1) -> None:
        self.params = params_of(config)
        self.latencies = whole("read_latency", read_latency, 1), whole("write_latency", write_latency, 1)

    def run(self, job: LayerJob) -> LayerRun:
        """LayerRun of a LayerJob, without those that follow.

        Raises ParameterError, and JobError if it takes longer than its timeout.
        """
        plan = self._norm_plan(job)
        if job.linear:
            heads = zip(job.k, job.v, job.settings, strict=True)
            results = [attend(job.q[0], k, v, settings, self.params, job.table) for k, v, settings in heads]
        else:
            results = attend_heads(job.q, job.k, job.v, job.settings, self.params) if job.settings else []
        verdicts = [result.verdict for result in results]
        cycles = self.cycles(job, results)
        counters = {
            **cycles.counters,
            **traffic(
                results,
                job.settings,
                self.params,
                table=job.has_table,
                served=cycles.served,
                planes=job.planes,
                chain=bool(job.chain),
                norm=plan.fields if plan else None,
            ),
            "tiles_visited": sum(result.n_visited for result in results),
            "tiles_kept": sum(result.n_kept for result in results),
            "heads": len(results),
            "heads_pruned": verdicts.count(Verdict.PRUNED),
            "heads_fallback": verdicts.count(Verdict.FALLBACK),
        }
        if job.timeout_cycles and counters["cycles"] > job.timeout_cycles:
            raise JobError("timeout")
        records = tuple(HeadRecord(r.verdict, r.n_visited, r.n_kept, r.theta_head) for r in results)
        output = np.stack([result.output for result in results]) if results else job.q
        if job.linear:
            kind = "<i2" if job.settings[0].words else "i1"
            output = np.concatenate(output.astype(np.int8), -1).view(kind).astype(np.int64)
        if job.planes:
            integer, fraction = split(output, self.params.digit_width)
            output = (integer << self.params.digit_width) + fraction
        return LayerRun(output, records, counters, _norm_run(job, plan))

    def cycles(self, job: LayerJob, results: list[HeadResult]) -> JobCycles:
        """hdp_hw.golden.cycles.shell.job.JobCycles of a LayerJob whose heads have these HeadResults."""
        regions = JobLayout.of(job, self.params).regions
        places = {name: (each.offset, each.row_stride, each.head_stride) for name, each in regions.items()}
        return cycles(
            results,
            job.settings,
            places,
            self.params,
            self.latencies,
            n_kv_heads=len(job.k),
            table=job.has_table,
            planes=job.planes,
            chain=job.chain,
            norm=self._norm_plan(job),
        )

    def _norm_plan(self, job: LayerJob) -> NormPlan | None:
        """What the golden models take of a job's norm. Raises ParameterError."""
        norm = job.norm
        if norm is None:
            return None
        regions = JobLayout.of(job, self.params).regions
        fields = norm_fields(norm.validate(self.params), regions, 0)
        return NormPlan(regions["norm"].offset, fields, exponents(fields, norm.x, norm.y))


def _norm_run(job: LayerJob, plan: NormPlan | None) -> NormRun | None:
    """NormRun of a job's norm."""
    if job.norm is None or plan is None:
        return None
    words, operands = norm_rows(plan.fields, job.norm.x, job.norm.y, job.norm.scales)
    return NormRun(words if job.norm.words else None, operands if job.norm.operands else None)
