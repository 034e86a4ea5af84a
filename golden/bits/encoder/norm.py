"""Residual sum and normalisation of rows."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.encoder.inverse_root import inverse_root
from hdp_hw.golden.bits.encoder.rounding import saturate, shift_right
from hdp_hw.spec.encoder import NORMAL_FRACTION, NORMAL_WIDTH, ROOT_UNIT, STREAM_FRACTION


def residual(x: np.ndarray, a: int, y: np.ndarray | None = None, b: int = 0) -> np.ndarray:
    """``r = sat16((x * a + y * b) / 2^15)``, rounded, of words x and y; a, b : u16."""
    total = np.asarray(x, np.int64) * a
    return saturate(shift_right(total if y is None else total + np.asarray(y, np.int64) * b, STREAM_FRACTION))


def variances(r: np.ndarray, rms: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """``(means, variances)`` of rows of words [..., n], both [..., 1]: 2 * mean, rounded, and n^2 * variance, exact.

    rms : the mean is taken for 0, and the mean square for the variance.
    """
    r, n = np.asarray(r, np.int64), r.shape[-1]
    squares = (r * r).sum(-1, keepdims=True)
    if rms:
        return np.zeros_like(squares), n * squares
    total = r.sum(-1, keepdims=True)
    return (4 * total + n) // (2 * n), n * squares - total * total


def normalise(r: np.ndarray, epsilon: int = 0, rms: bool = False) -> np.ndarray:
    """Rows of words [..., n] to mean 0 and variance 1: s18 in units of n / 2^floor(log2 n) * 2^-NORMAL_FRACTION.

    ``h = sat18((2 r - 2 mean) * q / 2^(33 - floor(log2 n) - e))``, rounded, with ``(q, e)`` of ``n^2 * variance +
    epsilon``; epsilon : below 2^54, in the same units. A row whose variance and epsilon are 0 gives zeros.
    """
    mean, variance = variances(r, rms)
    q, e = inverse_root(variance + epsilon)
    shift = np.maximum(ROOT_UNIT + 1 - NORMAL_FRACTION - (r.shape[-1].bit_length() - 1) - e, 0)
    return saturate(shift_right((2 * np.asarray(r, np.int64) - mean) * q, shift), NORMAL_WIDTH)


def scale(normal: np.ndarray, gamma: Any, beta: Any, shift: int) -> np.ndarray:
    """Words ``sat16(rnd(normal * gamma / 2^shift) + beta)``; gamma, beta : s16 [n]; shift : 8 to 15."""
    return saturate(shift_right(normal * np.asarray(gamma, np.int64), shift) + np.asarray(beta, np.int64))
