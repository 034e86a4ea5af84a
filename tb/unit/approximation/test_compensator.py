"""Compensator against golden/bits/approximation/compensator.py."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.approximation.compensator import mean_score
from hdp_hw.rtl.approximation.compensator import Compensator
from tb.lib.lockstep import lockstep
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run

LARGEST_A = 4 ** (PARAMS.digit_width - 1) * PARAMS.max_head_dim


async def check(dut, pruned_sum, n_pruned, gaps):
    mean = mean_score(pruned_sum, n_pruned, PARAMS)
    assert np.abs(mean).max() < 2 ** (PARAMS.s_width - 1), "the golden mean does not fit a score"
    await lockstep(
        dut,
        [{"pruned_sum": total, "n_pruned": n} for total, n in zip(pruned_sum, n_pruned)],
        [{"mean": mean} for mean in mean],
        Compensator(PARAMS).latency,
        gaps,
    )


@cocotb.test()
async def every_count(dut):
    """Every number of pruned keys, 0 too, with the extreme sums and those around 0."""
    n = np.arange(PARAMS.max_seq_len + 1)
    sums = [n * LARGEST_A, -n * LARGEST_A, 0 * n, np.minimum(n, 1), -np.minimum(n, 1)]
    await check(dut, np.concatenate(sums), np.tile(n, len(sums)), gaps=False)


@cocotb.test()
async def random_values(dut):
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    n = rng.integers(1, PARAMS.max_seq_len + 1, 2000)
    largest = np.minimum(2 ** rng.integers(1, LARGEST_A.bit_length() + 1, len(n)), LARGEST_A)
    await check(dut, rng.integers(-n * largest, n * largest + 1), n, gaps=True)


@cocotb.test()
async def no_pruned_key(dut):
    """Without a pruned key the mean is 0, whatever the sum."""
    top = 2 ** (PARAMS.row_sum_width - 1)
    sums = np.array([1, -1, top - 1, -top])
    await check(dut, sums, np.zeros_like(sums), gaps=False)


@on_every_core
def test_compensator(simulator, core):
    run(Compensator(CORES[core]), __name__, simulator, core)
