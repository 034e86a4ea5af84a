"""Units of integers, that is real numbers per LSB, and the parameters of jobs that follow from them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hdp_hw.encoder.jobs import PLAIN_FACTOR, Affine, Linear
from hdp_hw.spec.encoder import (
    BIAS_WIDTH,
    FACTOR_FRACTION,
    GAMMA_SHIFT_MAX,
    GAMMA_SHIFT_MIN,
    MULT_FRACTION,
    MULT_WIDTH,
    NORMAL_FRACTION,
    PRESHIFT,
    SEGMENT_BITS,
    SEGMENT_FRACTION,
    SHIFT_MAX,
    Activation,
)
from hdp_hw.study.encoder.equalise import TINY, quantised_weights
from hdp_hw.study.encoder.passed_on import passed_on
from hdp_hw.study.models.functions import relu

WORD_MAX = (1 << 15) - 1
GAIN_MAX = 15.9  #: of words over sums


class Weights(NamedTuple):
    """Of a linear layer in integers: weights [n_out, k], biases [n_out], real numbers per LSB of each sum [n_out]."""

    integers: np.ndarray
    biases: np.ndarray
    units: np.ndarray


def quantised(weight: np.ndarray, bias: np.ndarray, units: np.ndarray, products: np.ndarray | None = None) -> Weights:
    """The Weights of a linear layer whose operands have ``units`` [k] and, in these, sums of products [k, k]."""
    least = np.abs(bias) / 2.0 ** (BIAS_WIDTH - 2)
    powers = None if products is None else products.diagonal()
    integers, of_sums = quantised_weights(weight, units, powers, least)
    if products is not None:
        integers = passed_on(weight * units / of_sums[:, None], products)
    return Weights(integers, np.rint(bias / of_sums).astype(np.int64), of_sums)


def mult_and_shift(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(mult, shift)`` with mult * 2^PRESHIFT / 2^(shift + MULT_FRACTION) nearest to ``gain``, below 16."""
    fraction = MULT_FRACTION - PRESHIFT
    shift = np.clip(MULT_WIDTH - 1 - fraction - np.floor(np.log2(gain)), 0, SHIFT_MAX).astype(np.int64)
    return np.minimum(np.rint(gain * 2.0 ** (shift + fraction)), 2**MULT_WIDTH - 1).astype(np.int64), shift


def to_words(weights: Weights, unit: float) -> Linear:
    """The Linear whose words have ``unit``."""
    gains = np.minimum(weights.units / unit, GAIN_MAX)
    return Linear(weights.integers, weights.biases, *mult_and_shift(gains))


def to_operands(weights: Weights, units: np.ndarray) -> Linear:
    """The Linear whose results are operands of ``units`` [n_out]."""
    gains = np.minimum(weights.units / units * PLAIN_FACTOR, GAIN_MAX)
    factor = np.clip(np.rint(weights.units / gains / units * 2**FACTOR_FRACTION), 0, 2**MULT_WIDTH - 1)
    return Linear(weights.integers, weights.biases, *mult_and_shift(gains), factor=factor.astype(np.int64))


def table_of(function: Callable[[np.ndarray], np.ndarray], unit: float) -> tuple[np.ndarray, float]:
    """``(table, unit of its words)`` of an activation whose argument is a word of ``unit``."""
    edges = (np.arange((1 << SEGMENT_BITS) + 1) - (1 << (SEGMENT_BITS - 1))) * float(1 << SEGMENT_FRACTION) * unit
    values = function(edges)
    of_words = max(float(np.abs(values).max()) / WORD_MAX, TINY)
    words = np.clip(np.rint(values / of_words), -WORD_MAX - 1, WORD_MAX).astype(np.int64)
    return np.stack([words[:-1], np.diff(words)], -1), of_words


class Activated(NamedTuple):
    """A Linear with an activation, whose argument is a word of the unit ``argument`` and its result one of ``words``;
    operands : their units [n_out].
    """

    job: Linear
    argument: float
    words: float
    operands: np.ndarray


def activated(
    weights: Weights, argument: float, function: Callable[[np.ndarray], np.ndarray], units: np.ndarray
) -> Activated:
    """The Activated whose argument has the unit ``argument``, or a larger one that its sums need.

    units : of the operands [n_out] that are asked for, of which the nearest are taken that a factor of 16 bits makes.
    """
    argument = max(argument, float(weights.units.max()) / GAIN_MAX)
    rectified = function is relu
    table, of_words = (None, argument) if rectified else table_of(function, argument)
    factor = np.clip(np.rint(of_words / units * 2**FACTOR_FRACTION), 1, 2**MULT_WIDTH - 1).astype(np.int64)
    activation = Activation.RELU if rectified else Activation.TABLE
    scales = mult_and_shift(weights.units / argument)
    job = Linear(weights.integers, weights.biases, *scales, activation, table, factor)
    return Activated(job, argument, of_words, of_words / factor * 2**FACTOR_FRACTION)


def affine(gamma: np.ndarray, beta: np.ndarray, units: np.ndarray) -> Affine:
    """The Affine behind a normalised row whose words have ``units`` [n], no less than :func:`least_units`."""
    gains = gamma * _per_lsb(len(gamma)) / units
    largest = max(float(np.abs(gains).max()), TINY)
    shift = max(GAMMA_SHIFT_MIN, min(GAMMA_SHIFT_MAX, math.floor(math.log2(WORD_MAX / largest))))
    rounded = [np.clip(np.rint(x), -WORD_MAX, WORD_MAX).astype(np.int64) for x in (gains * 2.0**shift, beta / units)]
    return Affine(*rounded, shift)


def least_units(gamma: np.ndarray) -> np.ndarray:
    """Least units [n] of words behind a normalised row: with smaller ones, gamma would take more than its bits."""
    return np.abs(gamma) * _per_lsb(len(gamma)) * 2.0**GAMMA_SHIFT_MIN / WORD_MAX


def _per_lsb(n: int) -> float:
    """Deviations of an LSB of a normalised element of a row of n."""
    return n / 2.0 ** (n.bit_length() - 1 + NORMAL_FRACTION)
