"""Reciprocal square root of a positive integer: a table and one Newton step."""

from typing import Any

import numpy as np

from hdp_hw.spec.encoder import GUESS_FRACTION, ROOT_FRACTION, ROOT_INDEX_BITS, ROOT_WINDOW, root_table


def inverse_root(v: Any) -> tuple[np.ndarray, np.ndarray]:
    """``(q, e)`` of unsigned v below 2^55: 1 / sqrt(v) ~ q * 2^(e - 43), q being u17 and at least 2^15 - 8.

    v << 2e has its highest bit in one of the two highest places of ROOT_WINDOW bits; the highest 17 of these are y,
    1 to 4, and q ~ 1 / sqrt(y). 0 gives q = 0.
    """
    v = np.asarray(v, np.int64)
    e = (ROOT_WINDOW - _bit_length(v)) >> 1
    y = (v << (2 * e)) >> (ROOT_WINDOW - 2 - ROOT_FRACTION)  # 15 fraction bits
    table = np.array(root_table(), np.int64)
    guess = table.take((y >> (ROOT_FRACTION - ROOT_INDEX_BITS)) - (1 << ROOT_INDEX_BITS), mode="clip")
    square = (guess * guess) >> (2 * GUESS_FRACTION - ROOT_FRACTION - 1)  # 16 fraction bits
    correction = ((3 << (2 * ROOT_FRACTION + 1)) - y * square) >> (ROOT_FRACTION + 1)  # 3 - y * guess^2, 15
    q = (guess * correction) >> GUESS_FRACTION  # half of their product, 16
    return np.where(v > 0, q, 0), e


def _bit_length(v: np.ndarray) -> np.ndarray:
    """Bit length of non-negative integers below 2^55, more than a float64 holds."""
    high = v >> 28
    return np.where(high > 0, np.frexp(high)[1] + 28, np.frexp(v & ((1 << 28) - 1))[1]).astype(np.int64)
