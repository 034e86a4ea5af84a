"""Walks over the block rows of a head."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class BlockRows(wiring.Component):
    """One beat per block row: its index and how many of its blocks hold a valid element.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_start : In(unsigned(1))
        A head begins; only after the last beat of the one before was taken.
    i_n_q : In(unsigned(params.seq_width))
        Query rows of the head; holds still from ``i_start`` to the last beat.
    i_n_k : In(unsigned(params.seq_width))
        Keys of the head; holds still from ``i_start`` to the last beat.
    i_causal : In(unsigned(1))
        The head is causal; holds still from ``i_start`` to the last beat.
    o : Out(stream.Signature(self.row_layout))
        ``row``, ``n_blocks`` (0 for a causal row that sees no key) and ``last``.

    Timing
    ------
    The first beat comes ``latency`` = 3 clock cycles after ``i_start``, each further one as many after its
    predecessor was taken; a beat waits until it is taken.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.geometry.existing_blocks``.
    """

    latency = 3

    def __init__(self, params):
        self.params = params
        self.row_layout = data.StructLayout(
            {"row": unsigned(params.block_width), "n_blocks": unsigned(params.n_blocks_width), "last": unsigned(1)}
        )
        super().__init__(
            {
                "i_start": In(unsigned(1)),
                "i_n_q": In(unsigned(params.seq_width)),
                "i_n_k": In(unsigned(params.seq_width)),
                "i_causal": In(unsigned(1)),
                "o": Out(stream.Signature(self.row_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat, shift = self.o.payload, (self.params.tile - 1).bit_length()
        columns = Signal(self.params.n_blocks_width)  # blocks over all n_k keys
        next_row = Signal(self.params.n_blocks_width)
        offset = Signal(signed(self.params.n_blocks_width + 1))  # blocks that row r sees beyond its first r + 1
        stage = Signal(2)  # one-hot: offset, then n_blocks is being computed
        taken = self.o.valid & self.o.ready

        m.d.sync += [stage.eq(stage.shift_left(1) | self.i_start | (taken & ~beat.last)), self.o.valid.eq(stage[1])]
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += self.o.valid.eq(1)
        with m.If(self.i_start):
            m.d.sync += next_row.eq(0)
        with m.If(stage[0]):
            rounded_up = self.params.tile - 1
            m.d.sync += [
                columns.eq((self.i_n_k + rounded_up) >> shift),
                offset.eq((self.i_n_k - self.i_n_q + rounded_up) >> shift),
                beat.row.eq(next_row),
                beat.last.eq(((next_row + 1) << shift) >= self.i_n_q),
                next_row.eq(next_row + 1),
            ]
        with m.If(stage[1]):
            # A row's last query sees (row + 1) * T + n_k - n_q keys, its own included; that of the head's last row all.
            blocks = next_row + offset
            m.d.sync += beat.n_blocks.eq(Mux(~self.i_causal | beat.last, columns, Mux(blocks < 0, 0, blocks)))
        return m
