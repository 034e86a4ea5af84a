"""From the sums of a linear layer to words or operands."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.encoder.rounding import saturate, shift_right
from hdp_hw.spec.encoder import (
    FACTOR_FRACTION,
    MULT_FRACTION,
    OPERAND_MAX,
    PRESHIFT,
    SCALED_WIDTH,
    SEGMENT_BITS,
    SEGMENT_FRACTION,
    Activation,
)


def words(acc: np.ndarray, mult: Any, shift: Any) -> np.ndarray:
    """``y = sat16(t * mult / 2^17)`` of sums [..., n_out] s28, with ``t = sat18(acc * 2^5 / 2^shift)``; both rounded.

    mult : u16 [n_out]; shift : 0 to 15 [n_out]. From mult = 2^15 on, t saturates only where y does too.
    """
    scaled = saturate(shift_right(np.asarray(acc, np.int64) << PRESHIFT, shift), SCALED_WIDTH)
    return saturate(shift_right(scaled * np.asarray(mult, np.int64), MULT_FRACTION))


def activate(y: np.ndarray, activation: Activation, table: np.ndarray | None = None) -> np.ndarray:
    """Words through an activation; table : [2^SEGMENT_BITS, 2], word at the left end of each segment, and its slope.

    ``g = sat16(word + slope * f / 2^SEGMENT_FRACTION)``, rounded, f being the word's low bits.
    """
    if activation == Activation.RELU:
        return np.maximum(y, 0)
    if activation == Activation.NONE or table is None:
        return y
    return activation_words(table).take(y + (1 << (SEGMENT_BITS + SEGMENT_FRACTION - 1)))


def activation_words(table: np.ndarray) -> np.ndarray:
    """The activation of every word, from the lowest on."""
    position = np.arange(1 << (SEGMENT_BITS + SEGMENT_FRACTION))
    left, slope = np.asarray(table, np.int64)[position >> SEGMENT_FRACTION].T
    f = position & ((1 << SEGMENT_FRACTION) - 1)
    return saturate(left + shift_right(slope * f, SEGMENT_FRACTION))


def operands(words: np.ndarray, factor: Any) -> np.ndarray:
    """Operands ``words * factor / 2^16``, rounded, within +- ``OPERAND_MAX``; factor : u16 [n_out]."""
    rounded = shift_right(words * np.asarray(factor, np.int64), FACTOR_FRACTION)
    return np.clip(rounded, -OPERAND_MAX, OPERAND_MAX)
