"""Records that travel through the core's schedule."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from hdp_hw.spec.params import bits_for


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
    """Cycles of a tile in each mode, which is also what the head dimension means to the array."""
    count = unsigned(params.slice_index_width)
    return data.StructLayout({"integer": count, "cross": count, "slices": count})


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
            "cycle": unsigned(bits_for(params.max_slices - 1)),
            "first": unsigned(1),
            "last": unsigned(1),
            "first_tile": unsigned(1),
            "last_tile": unsigned(1),
            "last_row": unsigned(1),
        }
    )
