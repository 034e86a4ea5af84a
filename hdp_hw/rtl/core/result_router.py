"""What becomes of the array's results."""

from amaranth.hdl import Cat, Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import tile_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.core.head_cursor import select_entry
from hdp_hw.rtl.core.jobs import head_entry_layout, micro_op_layout
from hdp_hw.rtl.core.operand_fetch import COLUMN_LATENCY
from hdp_hw.rtl.pruning.geometry import Geometry
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import OPERAND_LATENCY


class ResultRouter(wiring.Component):
    """Finished tiles of scores, with their valid elements, go to the predictor or to softmax, slices to the drain.

    Parameters
    ----------
    params : HdpParams
    score_latency : int
        Clock cycles from a tile's last operands at the array to its scores.
    context_latency : int
        Clock cycles from a slice's last operands at the array to its sums.

    Ports
    -----
    i_op : In(micro_op_layout(params))
        The operand fetch's micro-operation, ``COLUMN_LATENCY`` after the sequencer gave it.
    i_column : In(unsigned(params.block_width))
        The block column of ``i_op``, from the operand fetch.
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries; that of a micro-operation's head holds still until its results are there.
    i_slice : In(unsigned(bits_for(params.max_slices - 1)))
        The operand fetch's index of the slice whose operands are at the array.
    i_last_slice : In(unsigned(1))
        The operand fetch's mark of a row's last slice, with ``i_slice``.
    i_scores_valid : In(unsigned(1))
        The array has the scores of a tile, ``score_latency`` after the last of its operands.
    i_scores : In(tile_layout(signed(params.sum_width), params))
        With ``i_scores_valid``: the scores.
    o_predict_valid : Out(unsigned(1))
        The scores are for the predictor; they are those of the integer digits alone.
    o_a : Out(tile_layout(signed(params.a_width), params))
        With ``o_predict_valid``: the scores in the predictor's units.
    o_softmax_valid : Out(unsigned(1))
        The scores are for softmax, which takes them from the array.
    o_elements : Out(tile_layout(unsigned(1), params))
        With either: the tile's valid elements.
    o_first_tile : Out(unsigned(1))
        With either: the tile is its row's first.
    o_last_tile : Out(unsigned(1))
        With either: the tile is its row's last.
    o_last_row : Out(unsigned(1))
        With ``o_predict_valid``: the row is its head's last.
    o_row : Out(unsigned(params.block_width))
        With ``o_predict_valid``: the tile's block row.
    o_column : Out(unsigned(params.block_width))
        With ``o_predict_valid``: the tile's block column.
    o_slot : Out(unsigned(params.score_slot_width))
        With ``o_softmax_valid``: the tile's score slot.
    o_slice : Out(unsigned(bits_for(params.max_slices - 1)))
        For the drain: index of the slice whose sums the array has.
    o_last_slice : Out(unsigned(1))
        For the drain: that slice is its row's last.

    Timing
    ------
    Outputs accompany the array's results; one tile per clock cycle, no back-pressure.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.geometry``.
    """

    def __init__(self, params, score_latency, context_latency):
        self.params, self.score_latency, self.context_latency = params, score_latency, context_latency
        slice_ = unsigned(bits_for(params.max_slices - 1))
        super().__init__(
            {
                "i_op": In(micro_op_layout(params)),
                "i_column": In(unsigned(params.block_width)),
                "i_entries": In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE)),
                "i_slice": In(slice_),
                "i_last_slice": In(unsigned(1)),
                "i_scores_valid": In(unsigned(1)),
                "i_scores": In(tile_layout(signed(params.sum_width), params)),
                "o_predict_valid": Out(unsigned(1)),
                "o_a": Out(tile_layout(signed(params.a_width), params)),
                "o_softmax_valid": Out(unsigned(1)),
                "o_elements": Out(tile_layout(unsigned(1), params)),
                "o_first_tile": Out(unsigned(1)),
                "o_last_tile": Out(unsigned(1)),
                "o_last_row": Out(unsigned(1)),
                "o_row": Out(unsigned(params.block_width)),
                "o_column": Out(unsigned(params.block_width)),
                "o_slot": Out(unsigned(params.score_slot_width)),
                "o_slice": Out(slice_),
                "o_last_slice": Out(unsigned(1)),
            }
        )

    @property
    def latency(self):
        """Clock cycles from ``i_op`` to its scores."""
        return OPERAND_LATENCY - COLUMN_LATENCY + self.score_latency

    def elaborate(self, platform):
        m = Module()
        m.submodules.geometry = geometry = Geometry(self.params)
        before_geometry = self.latency - geometry.latency
        tile = delay(m, self.i_op, before_geometry - 1, "tile_a")
        column = delay(m, self.i_column, before_geometry, "column")
        settings = select_entry(m, self.i_entries, tile.head, "entry").settings
        lengths = delay(m, Cat(settings.n_q, settings.n_k, settings.causal), 1, "lengths")
        tile = delay(m, tile, 1, "tile_b")
        m.d.comb += [
            geometry.i_row.eq(tile.row),
            geometry.i_column.eq(column),
            Cat(geometry.i_n_q, geometry.i_n_k, geometry.i_causal).eq(lengths),
        ]
        tile = delay(m, tile, geometry.latency, "tile_c")
        m.d.comb += [
            self.o_predict_valid.eq(self.i_scores_valid & tile.predict),
            self.o_softmax_valid.eq(self.i_scores_valid & ~tile.predict),
            self.o_elements.eq(geometry.o_elements),
            self.o_first_tile.eq(tile.first_tile),
            self.o_last_tile.eq(tile.last_tile),
            self.o_last_row.eq(tile.last_row),
            self.o_row.eq(tile.row),
            self.o_column.eq(delay(m, column, geometry.latency, "column_c")),
            self.o_slot.eq(tile.slot),
            self.o_slice.eq(delay(m, self.i_slice, self.context_latency, "slice")),
            self.o_last_slice.eq(delay(m, self.i_last_slice, self.context_latency, "last_slice")),
        ]
        for r in range(self.params.tile):
            for c in range(self.params.tile):
                m.d.comb += self.o_a[r][c].eq(self.i_scores[r][c] >> self.params.integer_shift)
        return m
