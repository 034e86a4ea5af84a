"""Words of 16 bits and operands of 8: saturation and rounding."""

from typing import Any

import numpy as np

from hdp_hw.spec.encoder import OPERAND_FRACTION, OPERAND_MAX, WORD_WIDTH


def shift_right(x: Any, shift: Any) -> np.ndarray:
    """x / 2^shift rounded to nearest, ties upwards: ``(x + 2^(shift - 1)) >> shift``; x itself for a shift of 0."""
    shift = np.asarray(shift, np.int64)
    return (np.asarray(x, np.int64) + ((1 << shift) >> 1)) >> shift


def saturate(x: np.ndarray, width: int = WORD_WIDTH) -> np.ndarray:
    """The nearest signed integer of ``width`` bits."""
    limit = 1 << (width - 1)
    return np.clip(x, -limit, limit - 1)


def operand(word: np.ndarray) -> np.ndarray:
    """The operand of a word with ``OPERAND_FRACTION`` fraction bits, within +- ``OPERAND_MAX``."""
    return np.clip(shift_right(word, OPERAND_FRACTION), -OPERAND_MAX, OPERAND_MAX)
