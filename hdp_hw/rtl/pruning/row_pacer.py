"""The turns of block rows in a stage."""

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.spec.timing import PREDICTOR_ROWS, ROW_CYCLES_MIN


def row_description_layout(params):
    """A block row of a head: its number, the column of its last block, and whether it is the head's last row."""
    return data.StructLayout(
        {
            "row": unsigned(params.block_width),
            "last_column": unsigned(params.block_width),
            "last_row": unsigned(1),
        }
    )


class RowPacer(wiring.Component):
    """Gives complete block rows their turns, in order, and in a turn counts through the row's blocks.

    A block takes ``predictor_turns`` clock cycles, in which its own query rows take turns. A block row's turn takes as
    many as its blocks do, from its start on, ``ROW_CYCLES_MIN`` at least. The next turn follows without a gap.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A row may take its turn. At most ``PREDICTOR_ROWS`` wait, this one included.
    i : In(row_description_layout(params))
        Rows of a head come in order from row 0.
    o_valid : Out(unsigned(1))
        A block.
    o_column : Out(unsigned(params.block_width))
        With ``o_valid``: the block column.
    o_turn : Out(unsigned(params.turn_width))
        With ``o_valid``: the turn of the block's query rows.
    o_first : Out(unsigned(1))
        First block of the row.
    o_last : Out(unsigned(1))
        Last block of the row.
    o : Out(row_description_layout(params))
        The row that has its turn, all along.
    o_end : Out(unsigned(1))
        Last clock cycle of a turn.

    Timing
    ------
    The first block comes ``latency`` = 2 clock cycles after ``i_valid``, or in the clock cycle after the previous
    turn's end.

    Numerics
    --------
    Golden twin ``golden.cycles.pruning.row_pacer``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i": In(row_description_layout(params)),
                "o_valid": Out(unsigned(1)),
                "o_column": Out(unsigned(params.block_width)),
                "o_turn": Out(unsigned(params.turn_width)),
                "o_first": Out(unsigned(1)),
                "o_last": Out(unsigned(1)),
                "o": Out(row_description_layout(params)),
                "o_end": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Waiting rows, in a ring by the low bits of their number.
        slots = min(PREDICTOR_ROWS, 1 << self.params.block_width)
        waiting = Array(Signal(row_description_layout(self.params), name=f"waiting_{slot}") for slot in range(slots))
        n_waiting = Signal(range(PREDICTOR_ROWS + 1))
        next_row = Signal(range(slots))
        with m.If(self.i_valid):
            m.d.sync += waiting[self.i.row[: len(next_row)]].eq(self.i)

        # A row's turn: `cycle` counts through it, the low bits being the block's turn, those above the column.
        turns = self.params.predictor_turns
        turn_bits = log2(turns)
        cycle = Signal(range(max(self.params.max_blocks * turns, ROW_CYCLES_MIN)))
        last_cycle, next_cycle = Signal.like(cycle), Signal.like(cycle)
        active = Signal()
        begin = Signal()
        description = waiting[next_row]
        last_of_blocks = Cat(C(turns - 1, turn_bits), description.last_column)
        is_short = last_of_blocks < ROW_CYCLES_MIN
        is_last_turn = self.o_turn == turns - 1
        # Ends are told a cycle ahead, for they decide what begins.
        m.d.comb += [
            begin.eq((n_waiting != 0) & (~active | self.o_end)),
            next_cycle.eq(cycle + 1),
            self.o_turn.eq(cycle[:turn_bits]),
            self.o_column.eq(cycle[turn_bits:]),
            self.o_first.eq(self.o_valid & (self.o_column == 0)),
        ]
        goes_on = self.o_valid & ~(self.o_last & is_last_turn)
        m.d.sync += [
            n_waiting.eq(n_waiting + self.i_valid - begin),
            cycle.eq(next_cycle),
            self.o_end.eq(active & ~self.o_end & (next_cycle == last_cycle)),
            self.o_last.eq(goes_on & (next_cycle[turn_bits:] == self.o.last_column)),
            self.o_valid.eq(goes_on),
            active.eq(active & ~self.o_end),
        ]
        with m.If(begin):
            m.d.sync += [
                self.o.eq(description),
                last_cycle.eq(Mux(is_short, ROW_CYCLES_MIN - 1, last_of_blocks)),
                next_row.eq(Mux(description.last_row, 0, next_row + 1)),
                cycle.eq(0),
                self.o_last.eq(description.last_column == 0),
                self.o_valid.eq(1),
                active.eq(1),
            ]
        return m
