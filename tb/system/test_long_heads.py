"""Heads of 2048 and 4096 keys through the compiled core, on synthetic operands: bits and clock cycles."""

import numpy as np
import pytest

from hdp_hw.golden.stimulus import random_head
from hdp_hw.simulation.check import check, expect
from hdp_hw.simulation.core_simulation import CoreSimulation
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule, Verdict
from tb.lib.simulation import MODELS

RULES = {Rule.DENSE: 0.0, Rule.ROW_THRESHOLD: 0.3, Rule.MARGIN: 0.5, Rule.MASS: 2e-4}
PARAMS = HdpParams(tile=4, lanes=8, max_head_dim=16, max_seq_len=4096, multiplier=18)


@pytest.mark.slow
@pytest.mark.parametrize("n", [2048, 4096])
def test_every_rule(n):
    """A few block rows of queries under each rule, the last of them alone in a partial block; and a head of queries."""
    simulation, rng = CoreSimulation(PARAMS, MODELS), np.random.default_rng(n)
    jobs = []
    for rule, threshold in RULES.items():
        head = random_head(rng, 33, n, 16, 2.0)
        more = {"compensate": rule != Rule.DENSE}
        jobs.append(HeadJob(head.settings(PARAMS, rule, threshold, **more), *head.quantised(PARAMS)))
    head = random_head(rng, n, 33, 16, 2.0)
    jobs.append(HeadJob(head.settings(PARAMS, Rule.MASS, 0.01), *head.quantised(PARAMS)))
    expected = [expect(job, PARAMS) for job in jobs]
    check(simulation.run(jobs), expected, PARAMS)
    verdicts = [each.result.verdict for each in expected]
    assert verdicts == [Verdict.DENSE, *[Verdict.SPARSE] * 4]
    assert all(0 < each.result.n_kept < each.result.n_visited for each in expected[1:4])
