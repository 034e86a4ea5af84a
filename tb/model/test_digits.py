"""Operands and their digits: golden/bits/digits.py."""

import numpy as np
import pytest

from hdp_hw.golden.bits.digits import quantize, split
from hdp_hw.spec.params import HdpParams

DIGIT_WIDTHS = pytest.mark.parametrize("w", [4, 8])


def operands(w):
    """Every operand of 2w bits."""
    return np.arange(-(1 << (2 * w - 1)), 1 << (2 * w - 1))


@DIGIT_WIDTHS
def test_split_is_exact_up_to_digit_max_and_saturates_beyond(w):
    x, digit_max = operands(w), HdpParams(digit_width=w).digit_max
    integer, fraction = split(x, w)
    np.testing.assert_array_equal((integer << w) + fraction, np.clip(x, -digit_max, digit_max))


@DIGIT_WIDTHS
def test_digits_fit_and_are_all_used(w):
    """I keeps within +- (2^(w-1) - 1), F takes all of w bits."""
    for plane, lowest in zip(split(operands(w), w), (1 - (1 << (w - 1)), -(1 << (w - 1)))):
        np.testing.assert_array_equal(np.unique(plane), np.arange(lowest, 1 << (w - 1)))


@DIGIT_WIDTHS
def test_digit_max_is_the_largest_operand_that_splits(w):
    """One more, and I would be 2^(w-1), which w signed bits do not hold."""
    digit_max = HdpParams(digit_width=w).digit_max
    assert [int(digit) for digit in split(digit_max, w)] == [2 ** (w - 1) - 1, 2 ** (w - 1) - 1]
    assert (digit_max + 1 + (1 << (w - 1))) >> w == 1 << (w - 1)


@DIGIT_WIDTHS
def test_integer_digit_rounds_to_nearest(w):
    """|F| is at most half an integer digit, so I << w is the nearest multiple; a tie takes the higher one."""
    x = operands(w)[: -(1 << (w - 1)) - 1]
    integer, fraction = split(x, w)
    assert (np.abs(fraction) <= 1 << (w - 1)).all() and fraction.max() < 1 << (w - 1)
    assert (np.abs(x - (integer << w)) <= np.abs(x - ((integer + 1) << w))).all()


@DIGIT_WIDTHS
def test_quantize_rounds_to_nearest_and_keeps_absmax(w):
    params = HdpParams(digit_width=w)
    x = np.random.default_rng(1).uniform(-3, 3, 10_000)
    q = quantize(x, 3.0, params)
    assert q.dtype == np.int64
    assert np.abs(q * 3.0 / params.digit_max - x).max() <= 0.5 * 3.0 / params.digit_max * (1 + 1e-9)
    assert quantize([-3.0, 0.0, 3.0], 3.0, params).tolist() == [-params.digit_max, 0, params.digit_max]


@DIGIT_WIDTHS
def test_quantize_saturates_symmetrically(w):
    params = HdpParams(digit_width=w)
    assert quantize([-3.1, -1e9, 3.1, 1e9], 3.0, params).tolist() == [-params.digit_max] * 2 + [params.digit_max] * 2


@DIGIT_WIDTHS
def test_quantized_operands_survive_quantization(w):
    params = HdpParams(digit_width=w)
    q = np.arange(-params.digit_max, params.digit_max + 1)
    np.testing.assert_array_equal(quantize(q * 0.37 / params.digit_max, 0.37, params), q)
    integer, fraction = split(q, w)
    np.testing.assert_array_equal((integer << w) + fraction, q)
