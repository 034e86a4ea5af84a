"""Division of the context sums by the softmax denominator, rounded and saturated to an operand."""

from typing import Any

import numpy as np

from hdp_hw.spec.tables import REQUANTIZE_FRACTION, reciprocal_bits


def requantize(numerator: Any, r: np.ndarray, s: np.ndarray, width: int, digit_width: int) -> np.ndarray:
    """O = round(numerator / denominator), s2w, from the denominator's ``(r, s)`` (``width`` bits).

    The numerator is normalised by the same shift and cut to ``REQUANTIZE_FRACTION`` bits below the output's LSB.
    """
    cut = width - 1 - REQUANTIZE_FRACTION
    normalised = (np.asarray(numerator, np.int64) << s) >> cut
    total = REQUANTIZE_FRACTION + reciprocal_bits(digit_width)
    rounded = (normalised * r + (1 << (total - 1))) >> total
    limit = 1 << (2 * digit_width - 1)
    return np.where(r > 0, np.clip(rounded, -limit, limit - 1), 0)
