"""Widths, formats and tables of linear layers and normalisation, which the RTL and the golden model share.

The jobs are defined for operands of 8 bits, ``digit_width`` = 4.
"""

import math
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise

OPERAND_MAX = 119  #: largest operand, digit_max of w = 4

# -- linear -----------------------------------------------------------------------------------------------------------
MAX_INPUTS = 4096  #: products that one sum holds at most, which take 27 signed bits
BIAS_WIDTH = 27  #: signed bits of a bias, in units of a product
SUM_WIDTH = 28  #: signed bits of the sum of both

# -- epilogue ---------------------------------------------------------------------------------------------------------
PRESHIFT = 5  #: bits by which a sum is shifted left before its channel's shift to the right
SHIFT_MAX = 15  #: of a channel
SCALED_WIDTH = 18  #: signed bits of a sum so shifted, which a multiplier of 18 x 18 bits takes
MULT_WIDTH = 16  #: unsigned bits of a channel's multiplier and of its factor
MULT_FRACTION = 17  #: bits by which the product with the multiplier is shifted right
FACTOR_FRACTION = 16  #: bits by which the product with the factor is shifted right
WORD_WIDTH = 16  #: signed bits of a result, of the residual, and of what a norm job reads
SEGMENT_BITS = 9  #: log2 of the number of linear segments of an activation
LINE_BYTES = 4  #: of a segment: word at its left end, and slope
TABLE_BYTES = LINE_BYTES << SEGMENT_BITS
SEGMENT_FRACTION = 7  #: bits of the position inside a segment
#: ``{scale of an output channel: bits}``, from the lowest on: what a linear layer reads in place of a row of V
SCALES_FIELDS = {"bias": BIAS_WIDTH, "shift": SHIFT_MAX.bit_length(), "mult": MULT_WIDTH, "factor": MULT_WIDTH}
SCALES_BYTES = 8

# -- norm -------------------------------------------------------------------------------------------------------------
MAX_FEATURES = 4095  #: elements of a row, at least 2
STREAM_FRACTION = 15  #: fraction bits of the unsigned 16-bit factors of the two streams
EPSILON_WIDTH = 54  #: unsigned bits of epsilon, in units of n^2 variances
ROOT_WINDOW = 56  #: bits, even, into which n^2 (variance + epsilon) is shifted
ROOT_FRACTION = 15  #: fraction bits of it, 1 to 4, of which the root is taken, and one less than those of the root
ROOT_INDEX_BITS = 5  #: of these fraction bits, those that choose the first guess
GUESS_FRACTION = 11  #: fraction bits of the first guess
ROOT_UNIT = 43  #: 1 / sqrt(v) is q * 2^e in units of 2^-ROOT_UNIT
NORMAL_WIDTH = 18  #: signed bits of a normalised element
NORMAL_FRACTION = 11  #: fraction bits of it, in units of n / 2^floor(log2 n) deviations
GAMMA_WIDTH = 16  #: signed bits of gamma and beta
GAMMA_SHIFT_MIN = 8  #: of the shift behind gamma, one for a row; at 11 the largest gamma makes a word of one deviation
GAMMA_SHIFT_MAX = 15  #: of the same
OPERAND_FRACTION = 8  #: fraction bits of a word from which an operand is rounded


class Activation(IntEnum):
    """What a linear job does to its words."""

    NONE = 0
    RELU = 1
    TABLE = 2  #: linear segments, from a table that the job brings


@lru_cache
def root_table() -> tuple[int, ...]:
    """First guess of 1 / sqrt(y), in units of 2^-GUESS_FRACTION, per segment of y from 1 to 4; begins at y = 1.

    Its relative error is the same at both ends of a segment, up to rounding.
    """
    per_unit = 1 << ROOT_INDEX_BITS
    edges = [math.sqrt(index / per_unit) for index in range(per_unit, 4 * per_unit + 1)]
    return tuple(round(2 ** (GUESS_FRACTION + 1) / (low + high)) for low, high in pairwise(edges))
