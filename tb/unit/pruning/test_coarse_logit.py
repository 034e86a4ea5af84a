"""Coarse logits, in lockstep with golden.bits.pruning.coarse_exp."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.coarse_exp import coarse_logit
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_MAX, NO_DISTANCE, CoarseLogit
from hdp_hw.spec.settings import HeadSettings
from hdp_hw.spec.tables import COARSE_MAX
from tb.lib.lockstep import lockstep
from tb.unit.pruning.pruning_bench import bench_latency, bench_params, bench_rng, on_every_run, run_bench


def wide_logit(difference, kappa, kappa_shift):
    """The logit with the saturation of hardware; checked against golden's, which saturates earlier."""
    golden = coarse_logit(difference, HeadSettings(1, 1, 1, kappa=int(kappa), kappa_shift=int(kappa_shift)))
    logit = np.minimum((difference * kappa) >> kappa_shift, DISTANCE_MAX)
    assert (np.minimum(logit, COARSE_MAX) == golden).all()
    return logit


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def logits(dut, gaps):
    params, rng = bench_params(), bench_rng()
    shape, largest = (params.predictor_rows, params.tile), 2**params.a_width - 1
    items = [(np.full(shape, largest), kappa, shift) for kappa in (0, 1, 255) for shift in (0, 7, 8, 31)]
    items += [(rng.integers(0, 4, shape), 255, shift) for shift in range(12)]
    # One above the largest distance, which would stand for no distance.
    kappa, shift = np.mgrid[1:256, :8].reshape(2, -1)
    difference = -(-(DISTANCE_MAX + 1 << shift) // kappa)
    exact = ((difference * kappa) >> shift == DISTANCE_MAX + 1) & (difference <= largest)
    items += [(np.full(shape, d), k, s) for d, k, s in zip(difference[exact], kappa[exact], shift[exact], strict=True)]
    for _ in range(150):
        difference = rng.integers(0, 2 ** int(rng.integers(1, params.a_width + 1)), shape)
        items.append((difference, rng.integers(0, 256), rng.integers(0, rng.choice([12, 32]))))
    inputs, expected = [], []
    for difference, kappa, shift in items:
        elements = rng.integers(0, 8, shape) != 0
        shifts = {"factor": kappa << (7 - shift % 8), "coarse_shift": shift // 8}
        inputs.append({"difference": difference, "elements": elements, **shifts})
        expected.append({"logit": np.where(elements, wide_logit(difference, kappa, shift), NO_DISTANCE)})
    await lockstep(dut, inputs, expected, bench_latency(), gaps)


@on_every_run
def test_coarse_logit(simulator, config):
    run_bench(CoarseLogit, __name__, simulator, config)
