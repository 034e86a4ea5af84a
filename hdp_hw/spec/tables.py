"""Integer constants and tables that the RTL and the golden model share; the algorithms using them are written twice.

A weight of 1.0 is ``digit_max`` (119 for w = 4): the largest integer that splits into two signed digits.
"""

from functools import lru_cache

from hdp_hw.spec.params import bits_for

# Coarse exponential of the mass rule, the same for every digit width.
COARSE_FRACTION = 4  #: fraction bits of a coarse base-2 logit (u4.4)
COARSE_MAX = 255  #: its largest value; larger differences saturate here
COARSE_ONE = 1 << 15  #: 2^-0 of the coarse exponential

TIME_CONSTANT_BITS = 5  #: integer bits of a base-2 logit; larger differences saturate


def logit_fraction(digit_width: int) -> int:
    """Fraction bits of a base-2 logit t: 8 for w = 4, 12 for w = 8."""
    return digit_width + 4


def guard(digit_width: int) -> int:
    """Bits that an exponential carries below the LSB of a weight: 8 for w = 4, 4 for w = 8."""
    return 12 - digit_width


@lru_cache
def exp2_coefficients(digit_width):
    """``(one, b, a)`` of 2^-f = one - f*(b - a*f), with ``one`` standing for 1.0.

    Exact at both ends of [0, 1), so that 2^-t is continuous and monotonic; a lies between the choices of least
    relative and least absolute error (0.32 % relative, checked by tb/model/test_approximation.py).
    """
    digit_max = 2 ** (2 * digit_width - 1) - 2 ** (digit_width - 1) - 1
    one = digit_max << guard(digit_width)
    a = round(0.1716 * one)
    return one, (one + 1) // 2 + a, a


def reciprocal_bits(digit_width: int) -> int:
    """R: a reciprocal of 1 is 2^R. 10 for w = 4, 18 for w = 8."""
    return 2 * digit_width + 2


def reciprocal_segment_bits(digit_width: int) -> int:
    """log2 of the number of linear segments: 16 segments for w = 4, 64 for w = 8."""
    return 4 if digit_width == 4 else 6


RECIPROCAL_FRACTION = 8  #: bits of the position inside a segment


@lru_cache
def reciprocal_table(digit_width):
    """``[(base, slope)]`` per segment: 1/x on [1, 2) as (base - slope*f >> 8), f the 8-bit position in the segment.

    The chord of each segment, lowered by half its largest distance from the curve (minimax).
    """
    bits, segments = reciprocal_bits(digit_width), 1 << reciprocal_segment_bits(digit_width)
    table = []
    for index in range(segments):
        low, high = 1 + index / segments, 1 + (index + 1) / segments
        sag = (1 / low**0.5 - 1 / high**0.5) ** 2 / 2
        base = round((1 / low - sag) * 2**bits) if index else 2**bits
        table.append((base, round((1 / low - 1 / high) * 2**bits)))
    return tuple(table)


def normalised_width(digit_width: int, max_seq_len: int) -> int:
    """DW: bits of the softmax denominator, at most max_seq_len weights of ``one``."""
    return bits_for(exp2_coefficients(digit_width)[0] * max_seq_len)


@lru_cache
def numerator_width(digit_width: int, max_seq_len: int) -> int:
    """Signed bits of ``(context << guard) + e_pruned * V_pruned``: at most max_seq_len products of ``one`` and V."""
    return bits_for(exp2_coefficients(digit_width)[0] * 2 ** (2 * digit_width - 1) * max_seq_len) + 1


REQUANTIZE_FRACTION = 8  #: fraction bits of the normalised numerator, below the LSB of the output
