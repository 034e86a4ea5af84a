"""Operands and their two signed digits."""

from typing import Any

import numpy as np

from hdp_hw.spec.params import HdpParams


def quantize(x: Any, absmax: float, params: HdpParams) -> np.ndarray:
    """Round ``x / absmax`` to integers of 2w bits in which ``absmax`` is ``digit_max``; saturates at +-digit_max."""
    scaled = np.rint(np.asarray(x, np.float64) * (params.digit_max / absmax))
    return np.clip(scaled, -params.digit_max, params.digit_max).astype(np.int64)


def split(x: Any, digit_width: int) -> tuple[np.ndarray, np.ndarray]:
    """Split ``x`` (s2w) into the digits ``(I, F)``, both signed w bits, with ``x = (I << w) + F``.

    ``x`` saturates at +- digit_max first, so that I keeps within +- (2^(w-1) - 1).
    """
    w = digit_width
    largest = 2 ** (2 * w - 1) - 2 ** (w - 1) - 1
    x = np.clip(np.asarray(x, np.int64), -largest, largest)
    integer = (x + (1 << (w - 1))) >> w
    return integer, x - (integer << w)
