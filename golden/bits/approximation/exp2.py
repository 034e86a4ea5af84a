"""Base-2 exponential of a non-positive logit."""

from functools import lru_cache
from typing import Any

import numpy as np

from hdp_hw.spec.tables import TIME_CONSTANT_BITS, exp2_coefficients, guard, logit_fraction


def logit(difference: Any, mult: Any, shift: Any, digit_width: int) -> np.ndarray:
    """t = (difference * mult) >> shift, u5.f, saturating; ``difference`` is a row's maximum minus its scores, >= 0."""
    return np.minimum((np.asarray(difference) * mult) >> shift, _largest(digit_width))


def exp2(t: np.ndarray, digit_width: int) -> np.ndarray:
    """2^-t in units of digit_max << guard: ``poly2(frac(t)) >> int(t)``."""
    fraction = logit_fraction(digit_width)
    one, b, a = exp2_coefficients(digit_width)
    f = np.asarray(t, np.int64) & ((1 << fraction) - 1)
    mantissa = one - ((f * (b - ((a * f) >> fraction))) >> fraction)
    return mantissa >> (np.asarray(t, np.int64) >> fraction)


def weight(e: np.ndarray, digit_width: int) -> np.ndarray:
    """The exponential rounded to a weight P of 0 to digit_max."""
    bits = guard(digit_width)
    return (e + (1 << (bits - 1))) >> bits


@lru_cache
def weight_table(digit_width: int) -> np.ndarray:
    """The weight of every logit."""
    t = np.arange(_largest(digit_width) + 1)
    return weight(exp2(t, digit_width), digit_width).astype(np.int32)


def _largest(digit_width: int) -> int:
    return (1 << (TIME_CONSTANT_BITS + logit_fraction(digit_width))) - 1
