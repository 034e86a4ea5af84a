"""Records that travel through the core."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hdp_hw.rtl.common.layouts import row_layout, settings_layout
from hdp_hw.spec.encoder import SCALES_FIELDS, SEGMENT_BITS, WORD_WIDTH
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.params import bits_for


def head_entry_layout(params):
    """What the head table knows of a head.

    half : its place among the two in the F and V buffers; cycles : of a tile; words, value_words : of a row of digits
    and of V; with ``encoder`` q_head, q_half : places of its Q; settings_error : its settings are refused; errors :
    HeadError of its planes I, F, V.
    """
    return data.StructLayout(
        {
            "settings": settings_layout(params),
            "half": unsigned(1),
            "cycles": head_shape_layout(params),
            "words": unsigned(bits_for(params.max_row_words)),
            **q_place_layout(params),
            "value_words": unsigned(bits_for(params.max_value_words)),
            "settings_error": unsigned(1),
            "errors": data.ArrayLayout(unsigned(3), len(STREAMS)),
            "verdict": unsigned(3),
        }
    )


def q_place_layout(params):
    """Where a head may read another's Q, as linear layers do: q_head, q_half : as head and half, of that Q."""
    return {"q_head": unsigned(2), "q_half": unsigned(1)} if params.encoder else {}


def row_job_layout(params):
    """A block row on its way from the survivor list to the drain.

    head, half : the head's place among the three in the table, and among the two in the F and V buffers; row : block
    row; base, n_tiles : its score slots; empty : it has none; full : FULL scores; stand_in : compensated; last : of its
    head; error : the head gives no output.
    """
    return data.StructLayout(
        {
            "head": unsigned(2),
            "half": unsigned(1),
            "row": unsigned(params.block_width),
            "base": unsigned(params.score_slot_width),
            "n_tiles": unsigned(params.n_blocks_width),
            "empty": unsigned(1),
            "full": unsigned(1),
            "stand_in": unsigned(1),
            "last": unsigned(1),
            "error": unsigned(1),
        }
    )


def head_shape_layout(params):
    """Cycles of a tile in each mode, which is also what the head dimension means to the array.

    wait : idle cycles before each predicted tile, for the predictor.
    """
    count = unsigned(params.slice_index_width)
    return data.StructLayout({"integer": count, "cross": count, "slices": count, "wait": unsigned(params.turn_width)})


def micro_op_layout(params):
    """One cycle of the array.

    predict : the tile's scores go to the predictor; head, half, row as in a row job; column : block column (predict
    only, otherwise looked up by ``slot``); cycle : of the tile, or slice of the context; first, last : of an
    accumulation; first_tile, last_tile : the tile's place in its row; last_row : the row is its head's last.
    """
    return data.StructLayout(
        {
            "mode": unsigned(2),
            "predict": unsigned(1),
            "head": unsigned(2),
            "half": unsigned(1),
            "row": unsigned(params.block_width),
            "column": unsigned(params.block_width),
            "slot": unsigned(params.score_slot_width),
            "cycle": unsigned(bits_for(params.max_row_slices - 1)),
            "first": unsigned(1),
            "last": unsigned(1),
            "first_tile": unsigned(1),
            "last_tile": unsigned(1),
            "last_row": unsigned(1),
        }
    )


def mask_trace_layout(params):
    """A word of one row's mask: bits of blocks from ``index * mask_word`` on, ``last`` of the row."""
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "row": unsigned(params.block_width),
            "index": unsigned(bits_for(params.mask_words - 1)),
            "word": unsigned(params.mask_word),
            "last": unsigned(1),
        }
    )


def verdict_trace_layout():
    """A head's Verdict."""
    return data.StructLayout({"valid": unsigned(1), "verdict": unsigned(3)})


def operand_read_layout(params):
    """Which operands a micro-operation takes, and from where.

    integer, fraction, value : planes that are read; head, half : as in a row job; row, column : block row of Q and
    block column of K and V; q_head, q_half : as in a head's entry; word, value_word : of a row of digits and of V.
    """
    return data.StructLayout(
        {
            "integer": unsigned(1),
            "fraction": unsigned(1),
            "value": unsigned(1),
            "head": unsigned(2),
            "half": unsigned(1),
            "row": unsigned(params.block_width),
            "column": unsigned(params.block_width),
            **q_place_layout(params),
            "word": unsigned(bits_for(params.max_row_words - 1)),
            "value_word": unsigned(bits_for(params.max_value_words - 1)),
        }
    )


def scales_layout(params):
    """Scales of an output channel of a linear layer, of the head in one of the two halves."""
    scales = {name: signed(width) if name == "bias" else unsigned(width) for name, width in SCALES_FIELDS.items()}
    return data.StructLayout(
        {
            "valid": unsigned(1),
            "half": unsigned(1),
            "channel": unsigned(bits_for(params.max_seq_len - 1)),
            "scales": data.StructLayout(scales),
        }
    )


def segment_layout():
    """A linear segment of an activation, on its way to its table: word at the left end, and slope."""
    line = {"left": signed(WORD_WIDTH), "slope": signed(WORD_WIDTH)}
    return data.StructLayout({"valid": unsigned(1), "index": unsigned(SEGMENT_BITS), **line})


def operand_words_layout(params):
    """A word of each operand, for each row of a block."""
    word = row_layout(unsigned(params.lanes * params.digit_width), params)
    return data.StructLayout(dict.fromkeys(("q_integer", "k_integer", "q_fraction", "k_fraction", "value"), word))
