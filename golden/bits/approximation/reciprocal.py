"""Reciprocal of a positive integer by a table of linear segments."""

from typing import Any

import numpy as np

from hdp_hw.spec.tables import RECIPROCAL_FRACTION, reciprocal_segment_bits, reciprocal_table


def bit_length(x: Any) -> np.ndarray:
    """Bit length of non-negative integers below 2^53; 0 for 0."""
    return np.frexp(np.asarray(x, np.float64))[1].astype(np.int64)


def reciprocal(x: Any, width: int, digit_width: int) -> tuple[np.ndarray, np.ndarray]:
    """``(r, s)`` of unsigned ``x`` (``width`` bits): x << s has its top bit set and r ~ 2^R / (that / 2^(width-1)).

    r is 0 where x is 0 (s is then ``width``).
    """
    segment_bits = reciprocal_segment_bits(digit_width)
    table = np.array(reciprocal_table(digit_width), np.int64)
    x = np.asarray(x, np.int64)
    s = width - bit_length(x)
    below = (x << s) - (1 << (width - 1))  # the bits below the leading one
    scale = width - 1 - segment_bits - RECIPROCAL_FRACTION
    position = below >> scale if scale >= 0 else below << -scale
    position = np.maximum(position, 0)
    segment, f = position >> RECIPROCAL_FRACTION, position & ((1 << RECIPROCAL_FRACTION) - 1)
    r = table[segment, 0] - ((table[segment, 1] * f) >> RECIPROCAL_FRACTION)
    return np.where(x > 0, r, 0), s
