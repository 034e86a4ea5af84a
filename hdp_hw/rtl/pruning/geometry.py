"""Which elements of a tile are valid."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import tile_layout


class Geometry(wiring.Component):
    """Valid elements of the tile (row, column): ``i < n_q``, ``j < n_k`` and, when causal, ``j <= i + n_k - n_q``.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_row : In(unsigned(params.block_width))
        Block row of the result router's tile.
    i_column : In(unsigned(params.block_width))
        Its block column.
    i_n_q : In(unsigned(params.seq_width))
        Query rows of the tile's head.
    i_n_k : In(unsigned(params.seq_width))
        Keys of the tile's head.
    i_causal : In(unsigned(1))
        The tile's head is causal.
    o_elements : Out(tile_layout(unsigned(1), params))
        1 where the tile has a query and a key that it sees.

    Timing
    ------
    Latency ``latency`` = 3 clock cycles, initiation interval 1, no back-pressure.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.geometry.valid_elements``.
    """

    latency = 3

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_row": In(unsigned(params.block_width)),
                "i_column": In(unsigned(params.block_width)),
                "i_n_q": In(unsigned(params.seq_width)),
                "i_n_k": In(unsigned(params.seq_width)),
                "i_causal": In(unsigned(1)),
                "o_elements": Out(tile_layout(unsigned(1), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tile, wide = self.params.tile, signed(self.params.seq_width + 2)
        # Rows and columns left from the tile's corner, and how far it lies below the causal diagonal.
        causal = Signal(2)
        rows, columns, below, offset = Signal(wide), Signal(wide), Signal(wide), Signal(wide)
        diagonal = Signal(wide)
        row_valid, column_valid = Signal(tile), Signal(tile)
        m.d.sync += [
            causal.eq(causal.shift_left(1) | self.i_causal),
            rows.eq(self.i_n_q - (self.i_row << (tile - 1).bit_length())),
            columns.eq(self.i_n_k - (self.i_column << (tile - 1).bit_length())),
            below.eq((self.i_row - self.i_column) << (tile - 1).bit_length()),
            offset.eq(self.i_n_k - self.i_n_q),
            diagonal.eq(below + offset),
        ]
        for index in range(tile):
            m.d.sync += [row_valid[index].eq(rows > index), column_valid[index].eq(columns > index)]
        for r in range(tile):
            for c in range(tile):
                visible = Mux(causal[1], diagonal >= c - r, 1)
                m.d.sync += self.o_elements[r][c].eq(row_valid[r] & column_valid[c] & visible)
        return m
