"""Context sums to output elements."""

import numpy as np

from hdp_hw.golden.bits.approximation.reciprocal import reciprocal
from hdp_hw.golden.bits.approximation.requantizer import requantize
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.tables import exp2_coefficients, guard, normalised_width


def drain(
    context: np.ndarray,
    weight_sum: np.ndarray,
    e_pruned: np.ndarray,
    n_pruned: np.ndarray,
    total: np.ndarray,
    kept: np.ndarray,
    params: HdpParams,
) -> np.ndarray:
    """``O = ((context << guard) + e_pruned * (total - kept)) / ((weight_sum << guard) + e_pruned * n_pruned)``.

    context : sums of P . V, [..., rows, d]; weight_sum, e_pruned, n_pruned : [..., rows, 1], e_pruned being 0 where no
    key stands in for the pruned ones; total, kept : sums of V over all keys and over the kept ones, [..., d].
    """
    w = params.digit_width
    numerator = (np.asarray(context, np.int64) << guard(w)) + e_pruned * (total - kept)
    denominator = (np.asarray(weight_sum, np.int64) << guard(w)) + e_pruned * n_pruned
    assert denominator.max() <= exp2_coefficients(w)[0] * params.max_seq_len
    width = normalised_width(w, params.max_seq_len)
    return requantize(numerator, *reciprocal(denominator, width, w), width, w)
