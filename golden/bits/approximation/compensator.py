"""The key that stands in for a row's pruned keys."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.approximation.reciprocal import reciprocal
from hdp_hw.spec.params import HdpParams, bits_for
from hdp_hw.spec.tables import reciprocal_bits


def mean_score(pruned_sum: Any, n_pruned: Any, params: HdpParams) -> np.ndarray:
    """Mean score, in units of S, of ``n_pruned`` keys whose integer scores sum up to ``pruned_sum``; floor.

    n_pruned = 0 gives 0.
    """
    width = bits_for(params.max_seq_len)
    r, s = reciprocal(n_pruned, width, params.digit_width)
    shift = width - 1 + reciprocal_bits(params.digit_width) - params.operand_width - s
    return (np.asarray(pruned_sum, np.int64) * r) >> np.maximum(shift, 0)
