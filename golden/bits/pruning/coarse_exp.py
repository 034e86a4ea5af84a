"""The coarse base-2 exponential and logarithm of the mass rule."""

from functools import lru_cache
from typing import Any

import numpy as np

from hdp_hw.golden.bits.approximation.reciprocal import bit_length
from hdp_hw.spec.settings import HeadSettings
from hdp_hw.spec.tables import COARSE_FRACTION, COARSE_MAX


def coarse_logit(difference: Any, settings: HeadSettings) -> np.ndarray:
    """x = (m - A) * kappa >> kappa_shift, u4.4, saturating at COARSE_MAX."""
    return np.minimum((difference * settings.kappa) >> settings.kappa_shift, COARSE_MAX)


def coarse_exp(x: Any) -> np.ndarray:
    """2^-x: linear mantissa, (32 - 16*frac) * 2^10 >> int(x); 2^15 stands for 1."""
    return ((32 - (x & 15)) << 10) >> (x >> COARSE_FRACTION)


@lru_cache
def coarse_exp_table() -> np.ndarray:
    """coarse_exp of 0 to COARSE_MAX."""
    return coarse_exp(np.arange(COARSE_MAX + 1, dtype=np.int32))


def coarse_log(z: Any) -> np.ndarray:
    """log2 of z / 2^15 in units of 1/16: position of the leading one, next four bits as linear mantissa. z >= 2^15."""
    position = bit_length(z) - 1
    return ((position - 15) << COARSE_FRACTION) + ((z >> (position - COARSE_FRACTION)) & 15)
