"""Coarse logarithm, in lockstep with golden.bits.pruning.coarse_exp."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.coarse_exp import coarse_log
from hdp_hw.rtl.pruning.coarse_log import CoarseLog
from hdp_hw.spec.tables import COARSE_ONE
from tb.lib.lockstep import lockstep
from tb.unit.pruning.pruning_bench import bench_latency, bench_params, bench_rng, on_every_run, run_bench


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def logarithms(dut, gaps):
    params, rng = bench_params(), bench_rng()
    largest = COARSE_ONE * params.max_seq_len
    powers = [COARSE_ONE << k for k in range(params.seq_width)]
    sums = [power + offset for power in powers for offset in (-1, 0, 1) if COARSE_ONE <= power + offset <= largest]
    sums += [int(COARSE_ONE * 2**exponent) for exponent in rng.uniform(0, params.seq_width - 1, 200)]
    expected = [int(coarse_log(np.array(z))) for z in sums]
    # A query row without a valid element sums up to 0.
    await lockstep(dut, [{"z": z} for z in [0, *sums]], [{"log": log} for log in [0, *expected]], bench_latency(), gaps)


@on_every_run
def test_coarse_log(simulator, config):
    run_bench(CoarseLog, __name__, simulator, config)


def test_accuracy():
    """As the docstring of CoarseLog has it."""
    z = np.arange(COARSE_ONE, 4 * COARSE_ONE + 1)
    below = np.log2(z / COARSE_ONE) - coarse_log(z) / 16
    assert below.min() == 0
    assert 0.14 < below.max() < 0.15
