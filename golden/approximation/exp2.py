"""Base-2 exponential of a non-positive logit."""

import numpy as np

from hdp_hw.tables import TIME_CONSTANT_BITS, exp2_coefficients, guard, logit_fraction


def logit(difference, mult, shift, digit_width):
    """t = (difference * mult) >> shift, u5.f, saturating; ``difference`` is a row's maximum minus its scores, >= 0."""
    limit = (1 << (TIME_CONSTANT_BITS + logit_fraction(digit_width))) - 1
    product = np.asarray(difference, np.int64) * mult
    return np.minimum(product >> shift, limit)


def exp2(t, digit_width):
    """2^-t in units of digit_max << guard: ``poly2(frac(t)) >> int(t)``."""
    fraction = logit_fraction(digit_width)
    one, b, a = exp2_coefficients(digit_width)
    f = np.asarray(t, np.int64) & ((1 << fraction) - 1)
    mantissa = one - ((f * (b - ((a * f) >> fraction))) >> fraction)
    return mantissa >> (np.asarray(t, np.int64) >> fraction)


def weight(e, digit_width):
    """The exponential rounded to a weight P of 0 to digit_max."""
    bits = guard(digit_width)
    return (e + (1 << (bits - 1))) >> bits
