"""Rows of operands as rows of digits."""

import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.spec.params import HdpParams, ceil_div


def digit_rows(rows: np.ndarray, params: HdpParams) -> tuple[np.ndarray, np.ndarray]:
    """``(integer, fraction)`` of operands [n, d]: bytes of two digits each, the first lowest, in whole beats of them.

    They are signed bytes [n, m], m the bytes of half as many beats as the row of operands has, rounded up.
    """
    beats = ceil_div(rows.shape[1], 2 * params.out_lanes)
    digits = np.zeros((2, len(rows), beats * 2 * params.out_lanes), np.int64)
    digits[..., : rows.shape[1]] = split(rows, params.digit_width)
    mask = (1 << params.digit_width) - 1
    low, high = digits[..., ::2] & mask, digits[..., 1::2] & mask
    integer, fraction = (low | high << params.digit_width).astype(np.uint8).view(np.int8)
    return integer, fraction
