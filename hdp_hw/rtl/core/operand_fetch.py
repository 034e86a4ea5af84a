"""From a micro-operation to its operands at the array."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import tile_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.head_cursor import select_entry
from hdp_hw.rtl.core.jobs import (
    head_entry_layout,
    micro_op_layout,
    operand_read_layout,
    operand_words_layout,
    q_place_layout,
)
from hdp_hw.rtl.core.plane_store import PlaneStore
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ArrayMode, bits_for
from hdp_hw.spec.timing import OPERAND_LATENCY

COLUMN_LATENCY = 2  #: clock cycles from a micro-operation to its block column


class OperandFetch(wiring.Component):
    """A micro-operation looks up its block column, then its words, then enters the array.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The sequencer gives a micro-operation.
    i_op : In(micro_op_layout(params))
        With ``i_valid``: the micro-operation.
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries; that of a micro-operation's head holds still while it is fetched.
    i_survivor_valid : In(unsigned(1))
        ExecuteControl lists a block that survives, before any micro-operation of its row.
    i_slot : In(unsigned(params.score_slot_width))
        With ``i_survivor_valid``: the block's score slot.
    i_column : In(unsigned(params.block_width))
        With ``i_survivor_valid``: its block column.
    o_read : Out(operand_read_layout(params))
        The words that the plane store reads.
    i_words : In(operand_words_layout(params))
        The plane store's answer, ``PlaneStore.latency`` clock cycles after ``o_read``.
    o_weight_slot : Out(unsigned(params.score_slot_width))
        The slot whose weights softmax reads.
    i_weights : In(tile_layout(data.ArrayLayout(signed(params.digit_width), 2), params))
        Softmax's answer, one clock cycle after ``o_weight_slot``.
    o_op : Out(micro_op_layout(params))
        The micro-operation with its column, for the routing of its results, ``COLUMN_LATENCY`` after ``i_op``.
    o_column : Out(unsigned(params.block_width))
        The block column of ``o_op``.
    o_valid : Out(unsigned(1))
        A micro-operation is at the array, with all of the operands below.
    o_mode : Out(unsigned(2))
        ArrayMode of the micro-operation that is at the array in the next clock cycle.
    o_phase : Out(unsigned(2))
        The low bits of that micro-operation's ``cycle``, likewise one clock cycle ahead.
    o_first : Out(unsigned(1))
        With ``o_valid``: first of an accumulation.
    o_last : Out(unsigned(1))
        With ``o_valid``: last of an accumulation.
    o_columns : Out(unsigned(params.tile))
        With ``o_valid``: bits of the tile's keys that exist.
    o_words : Out(operand_words_layout(params))
        With ``o_valid``: digits of Q, K and V; what the mode does not take may hold anything.
    o_weight : Out(tile_layout(data.ArrayLayout(signed(params.digit_width), 2), params))
        With ``o_valid``: digits of the weights, in CONTEXT.
    o_slice : Out(unsigned(bits_for(params.max_slices - 1)))
        With ``o_valid``: the micro-operation's ``cycle``, in CONTEXT the slice of V.
    o_last_slice : Out(unsigned(1))
        With ``o_valid``: the micro-operation's ``last_tile``, in CONTEXT the row's last slice.

    Timing
    ------
    A micro-operation's operands leave ``latency`` = ``OPERAND_LATENCY`` = 4 clock cycles after it, one micro-operation
    per clock cycle, no back-pressure. A column can be looked up in the clock cycle after it was listed.

    Numerics
    --------
    Golden twin ``golden.bits.core.operand_fetch``.
    """

    latency = OPERAND_LATENCY

    def __init__(self, params):
        self.params = params
        weights = tile_layout(data.ArrayLayout(signed(params.digit_width), 2), params)
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_op": In(micro_op_layout(params)),
                "i_entries": In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE)),
                "i_survivor_valid": In(unsigned(1)),
                "i_slot": In(unsigned(params.score_slot_width)),
                "i_column": In(unsigned(params.block_width)),
                "o_read": Out(operand_read_layout(params)),
                "i_words": In(operand_words_layout(params)),
                "o_weight_slot": Out(unsigned(params.score_slot_width)),
                "i_weights": In(weights),
                "o_op": Out(micro_op_layout(params)),
                "o_column": Out(unsigned(params.block_width)),
                "o_valid": Out(unsigned(1)),
                "o_mode": Out(unsigned(2)),
                "o_phase": Out(unsigned(2)),
                "o_first": Out(unsigned(1)),
                "o_last": Out(unsigned(1)),
                "o_columns": Out(unsigned(params.tile)),
                "o_words": Out(operand_words_layout(params)),
                "o_weight": Out(weights),
                "o_slice": Out(unsigned(bits_for(params.max_slices - 1))),
                "o_last_slice": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lookup, column = delay(m, self.i_op, 1, "op_a"), self._columns(m)
        looked_up = Mux(lookup.predict, lookup.column, column)
        m.d.sync += self.o_column.eq(looked_up)
        m.d.comb += self.o_op.eq(delay(m, self.i_op, COLUMN_LATENCY, "op_b"))
        self._read(m, lookup, looked_up)

        entry = select_entry(m, self.i_entries, lookup.head, "entry")
        if self.params.encoder:
            m.d.comb += [self.o_read[name].eq(entry[name]) for name in q_place_layout(self.params)]
        self._existing_keys(m, delay(m, entry.settings.n_k, 1, "n_k"))
        for name, words in ((name, self.i_words[name]) for name, _ in self.o_words.shape()):
            late = delay(m, words, OPERAND_LATENCY - 1 - PlaneStore.latency, name, reset_less=True)
            m.d.comb += self.o_words[name].eq(late)
        before_array = delay(m, self.o_op, OPERAND_LATENCY - 1 - COLUMN_LATENCY, "op_c")
        at_array = delay(m, before_array, 1, "op_d")
        m.d.comb += [
            self.o_weight_slot.eq(self.o_op.slot),
            self.o_weight.eq(
                delay(m, self.i_weights, OPERAND_LATENCY - 1 - COLUMN_LATENCY, "weights", reset_less=True)
            ),
            self.o_valid.eq(delay(m, self.i_valid, OPERAND_LATENCY, "valid")),
            self.o_mode.eq(before_array.mode),
            self.o_phase.eq(before_array.cycle),
            self.o_first.eq(at_array.first),
            self.o_last.eq(at_array.last),
            self.o_slice.eq(at_array.cycle),
            self.o_last_slice.eq(at_array.last_tile),
        ]
        return m

    def _columns(self, m):
        """Block columns of the score slots; returns that of the micro-operation one clock cycle before."""
        m.submodules.columns = columns = separate_memory(unsigned(self.params.block_width), self.params.score_slots)
        write, read = columns.write_port(), columns.read_port()
        m.d.comb += [
            write.addr.eq(self.i_slot),
            write.data.eq(self.i_column),
            write.en.eq(self.i_survivor_valid),
            read.addr.eq(self.i_op.slot),
            read.en.eq(1),
        ]
        return read.data

    def _read(self, m, op, column):
        """Addresses of the words that a micro-operation takes."""
        read, word = self.o_read, Signal(self.o_read.word.shape())
        with m.Switch(op.mode):
            with m.Case(ArrayMode.INTEGER):
                m.d.comb += word.eq(op.cycle)
            with m.Case(ArrayMode.CROSS):
                m.d.comb += word.eq(op.cycle >> 1)
            with m.Case(ArrayMode.FULL):
                m.d.comb += word.eq(op.cycle >> 2)
        context = op.mode == ArrayMode.CONTEXT
        m.d.comb += [
            read.integer.eq(~context),
            read.fraction.eq(~context & (op.mode != ArrayMode.INTEGER)),
            read.value.eq(context),
            read.head.eq(op.head),
            read.half.eq(op.half),
            read.row.eq(op.row),
            read.column.eq(column),
            read.word.eq(word),
            read.value_word.eq(op.cycle >> 1),
        ]

    def _existing_keys(self, m, n_k):
        """Keys of the tile that exist: a partial tile can only be the last one."""
        tile = self.params.tile
        tile_bits = (tile - 1).bit_length()
        partial, remainder = Signal(), Signal(tile_bits)
        m.d.sync += [partial.eq(self.o_column == n_k >> tile_bits), remainder.eq(n_k[:tile_bits])]
        for c in range(tile):
            exists = remainder > c if c < tile - 1 else 0
            m.d.sync += self.o_columns[c].eq(~partial | exists)
