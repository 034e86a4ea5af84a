"""Softmax in integers: weights of the kept keys, and of the key that stands in for the pruned ones."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.approximation.exp2 import exp2, logit, weight_table


def weights(
    s: np.ndarray, elements: np.ndarray, mult: Any, shift: Any, digit_width: int
) -> tuple[np.ndarray, np.ndarray]:
    """``(P, row maxima [..., rows, 1])`` of scores [..., rows, keys]; only valid ``elements`` count, others weigh 0.

    The maximum of a row without any is below every score and every mean.
    """
    row_max = np.where(elements, s, np.iinfo(s.dtype).min // 2).max(-1, keepdims=True)
    t = logit(np.where(elements, row_max - s, 0), mult, shift, digit_width)
    return np.where(elements, weight_table(digit_width).take(t), 0), row_max


def stand_in(row_max: np.ndarray, mean: np.ndarray, mult: Any, shift: Any, digit_width: int) -> np.ndarray:
    """e_pruned: exponential of a key at the score ``mean``, 1 at most, which it also is beside no other key."""
    return exp2(logit(np.maximum(row_max - mean, 0), mult, shift, digit_width), digit_width)
