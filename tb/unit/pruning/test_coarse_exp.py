"""Coarse exponentials, in lockstep with golden.bits.pruning.coarse_exp, over every logit."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.coarse_exp import coarse_exp
from hdp_hw.rtl.pruning.coarse_exp import CoarseExp
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_MAX
from hdp_hw.spec.tables import COARSE_MAX, COARSE_ONE
from tb.lib.lockstep import lockstep
from tb.unit.pruning.pruning_bench import bench_latency, bench_params, bench_rng, on_every_run, run_bench


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def exponentials(dut, gaps):
    params, rng = bench_params(), bench_rng()
    elements = params.predictor_rows * params.tile
    logits = np.concatenate([np.arange(COARSE_MAX + 3), [2**8 << k for k in range(9)], [DISTANCE_MAX]])
    logits = np.concatenate([logits, rng.integers(0, DISTANCE_MAX + 1, -len(logits) % elements)]).reshape(-1, elements)
    expected = coarse_exp(np.minimum(logits, COARSE_MAX))
    await lockstep(
        dut,
        [{"logit": logit} for logit in logits],
        [{"exp": exp} for exp in expected],
        bench_latency(),
        gaps,
    )


@on_every_run
def test_coarse_exp(simulator, config):
    run_bench(CoarseExp, __name__, simulator, config)


def test_accuracy():
    """As the docstring of CoarseExp has it, up to one LSB of truncation."""
    x = np.arange(COARSE_MAX + 1)
    exact = COARSE_ONE * 2.0 ** (-x / 16)
    assert (coarse_exp(x) > exact - 1).all()
    assert 0.061 < (coarse_exp(x) / exact).max() - 1 < 0.062
