"""Rows of operands as rows of digits."""

import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.spec.params import HdpParams


def digit_rows(rows: np.ndarray, params: HdpParams) -> tuple[np.ndarray, np.ndarray]:
    """``(integer, fraction)`` of operands [n, d]: bytes of two digits each, the first lowest, in whole beats of them.

    They are signed bytes [n, m], m the bytes of half as many beats as the row of operands has, rounded up.
    """
    empty = ((0, 0), (0, -rows.shape[1] % (2 * params.out_lanes)))
    integer, fraction = (digit_bytes(np.pad(digits, empty)) for digits in split(rows, params.digit_width))
    return integer.view(np.int8), fraction.view(np.int8)


def digit_bytes(digits: np.ndarray) -> np.ndarray:
    """uint8 [n, m] of digits of 4 bits [n, d], two a byte, the first lowest; m is d / 2, rounded up."""
    even = np.pad(digits & 15, ((0, 0), (0, digits.shape[1] % 2)))
    return (even[:, ::2] | even[:, 1::2] << 4).astype(np.uint8)
