"""Clock cycles that the cycle model shares with the RTL; a test asserts that the components keep them.

The predictor's hold for every configuration: short adder trees are padded to the longest.
"""

from dataclasses import dataclass

from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import REQUANTIZE_FRACTION, exp2_coefficients, logit_fraction, reciprocal_bits

PREDICTOR_ROWS = 4  #: rows that may be on their way between a row's first tile and its o_row_done
ROW_CYCLES_MIN = 16  #: stages B and C take at least so long for a row

PREDICTOR_LATENCY_A = 9  #: from the last turn of a row's last tile to the first read of stage B, which is idle
PREDICTOR_LATENCY_B = 13  #: from the end of a row's turn in stage B to the first read of stage C
PREDICTOR_LATENCY_C = 6  #: from the cycle after a head's last read of stage C to o_done

QUEUE_DEPTH = 4  #: rows that wait between two stages of execution
BLOCK_ROWS_LATENCY = 3  #: from the start of a head, or a row that was taken, to the next row
DRAIN_SPARE = 3  #: places of the drain's output beyond its latency: two until one is free again, one for late statuses
LINEAR_DRAIN_LATENCY = 16  #: from the step of a beat's last byte to its output: sum, bias, epilogue, beat, queue
RECIPROCAL_LATENCY = 5  #: of Reciprocal, of any width
OPERAND_LATENCY = 4  #: from a micro-operation to its operands at the array: slot, column, memory, register


PIECE_WIDTH = 17  #: bits, unsigned, that a multiplier takes: 18 signed, as MULT18X18D of the ECP5 and all larger ones


def tree_latency(n_terms, levels_per_stage=2):
    """Clock cycles of an adder tree with a register after every ``levels_per_stage`` levels."""
    return -(-(n_terms - 1).bit_length() // levels_per_stage)


def product_latency(*unsigned_widths):
    """Clock cycles of a multiplication of operands so wide, not counting a sign, in pieces of PIECE_WIDTH."""
    pieces = 1
    for width in unsigned_widths:
        pieces *= max(1, -(-width // PIECE_WIDTH))
    return 1 + tree_latency(pieces, 1)


@dataclass(frozen=True)
class CoreLatencies:
    """Clock cycles of the core's pipelines.

    score, context : from the last micro-operation of a tile, or of a slice, to its scores, or sums; row_max : from a
    row's last scores to its maxima; softmax : from a row's last step to its sums of weights; drain : from a step to
    its output beat; means : from a head's verdict to its last mean score.
    """

    score: int
    context: int
    row_max: int
    softmax: int
    drain: int
    means: int


def core_latencies(params):
    """CoreLatencies of a configuration."""
    w, levels = params.digit_width, (params.tile - 1).bit_length()
    one, b, _ = exp2_coefficients(w)
    e_width, f_width = bits_for(one), logit_fraction(w)
    exp2 = 8 + product_latency(params.s_width, 8) + 1 + product_latency(f_width, bits_for(b))
    r_width = reciprocal_bits(w) + 1
    requantizer = 3 + product_latency(params.operand_width + REQUANTIZE_FRACTION, r_width)
    normaliser = product_latency(e_width, params.seq_width) + 1 + RECIPROCAL_LATENCY + requantizer
    products, terms = (4, params.lanes) if params.exact else (5, params.slice_width)
    return CoreLatencies(
        score=OPERAND_LATENCY + products + tree_latency(terms, 1) + 2,
        context=OPERAND_LATENCY + products + tree_latency(params.tile, 1) + 1,
        row_max=1 + levels + 1,
        softmax=3 + exp2 + max(1, tree_latency(min(params.tile, params.softmax_lanes))) + 1,
        drain=1 + normaliser + 1,
        means=2 + params.tile + RECIPROCAL_LATENCY + product_latency(params.row_sum_width - 1, r_width) + 2,
    )
