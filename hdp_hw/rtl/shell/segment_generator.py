"""From a plane and a union of masks to the segments that are worth reading."""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.commands import plane_layout, segment_layout
from hdp_hw.spec.params import bits_for


class Fetch(IntEnum):
    """How much of a plane is read; the rest is delivered as zeros."""

    NOTHING = 0
    MASKED = 1  #: the key blocks that some row kept
    ALL = 2


class SegmentGenerator(wiring.Component):
    """Cuts the rows of one matrix into segments: runs of key blocks that are read, and runs that are not.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i : In(stream.Signature(self.request_layout))
        From HeadLoader: a matrix to fetch. ``plane`` is its address and row stride, ``n_rows`` its rows of ``words``
        core words; ``fetch`` (Fetch) says how much is read; ``head`` names the union that decides when that is MASKED.
        ``key`` and ``last`` are handed on.
    o : Out(stream.Signature(segment_layout(params)))
        To PlaneReader: segments that together are all rows, in order. Only the last one has ``last``.
    o_head : Out(unsigned(2))
        To MaskUnion: number, modulo 4, of the head whose union is looked up.
    o_index : Out(unsigned(bits_for(params.mask_words - 1)))
        To MaskUnion: place of the word in the union.
    i_word : In(unsigned(params.mask_word))
        From MaskUnion: that word, one clock cycle after ``o_head`` and ``o_index``.

    Timing
    ------
    One segment for NOTHING and ALL, offered in the clock cycle after the request; otherwise a segment for each run. Two
    clock cycles go by for each mask word, one for each block, and one for each segment; then a request is taken again.

    Numerics
    --------
    Golden twin ``golden.bits.shell.fetch.runs``; clock cycles: ``golden.cycles.shell.segment_generator``.
    """

    def __init__(self, params):
        self.params = params
        self.request_layout = data.StructLayout(
            {
                "plane": plane_layout(params),
                "n_rows": unsigned(params.seq_width),
                "words": unsigned(params.slice_index_width),
                "key": unsigned(1),
                "last": unsigned(1),
                "fetch": unsigned(2),
                "head": unsigned(2),
            }
        )
        super().__init__(
            {
                "i": In(stream.Signature(self.request_layout)),
                "o": Out(stream.Signature(segment_layout(params))),
                "o_head": Out(unsigned(2)),
                "o_index": Out(unsigned(bits_for(params.mask_words - 1))),
                "i_word": In(unsigned(params.mask_word)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, segment = self.params, self.o.payload
        shift = (params.tile - 1).bit_length()
        request = Signal(self.request_layout)
        address = Signal(params.address_width)  # of the block that is looked at
        rows_left = Signal(signed(params.seq_width + 1))  # rows from it on
        word = Signal(params.mask_word)
        index, bit = Signal(bits_for(params.mask_words)), Signal(range(params.mask_word))
        run, run_rows, run_address = Signal(), Signal(params.seq_width), Signal(params.address_width)  # run: it is read
        m.d.comb += [self.o_head.eq(request.head), self.o_index.eq(index)]

        def offer(at, n_rows, zero, last):
            return [
                self.o.valid.eq(1),
                segment.address.eq(at),
                segment.row_stride.eq(request.plane.row_stride),
                segment.n_rows.eq(n_rows),
                segment.words.eq(request.words),
                segment.zero.eq(zero),
                segment.key.eq(request.key),
                segment.last.eq(last & request.last),
            ]

        with m.FSM(name="segments"):
            with m.State("REQUEST"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [
                    request.eq(self.i.payload),
                    address.eq(self.i.payload.plane.address),
                    rows_left.eq(self.i.payload.n_rows),
                    index.eq(0),
                    run_rows.eq(0),
                ]
                with m.If(self.i.valid):
                    m.next = "WHOLE"
                    with m.If(self.i.payload.fetch == Fetch.MASKED):
                        m.next = "READ"
            with m.State("WHOLE"):
                m.d.comb += offer(request.plane.address, request.n_rows, request.fetch == Fetch.NOTHING, 1)
                with m.If(self.o.ready):
                    m.next = "REQUEST"
            with m.State("READ"):
                m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += [word.eq(self.i_word), index.eq(index + 1), bit.eq(0)]
                m.next = "BLOCK"
            with m.State("BLOCK"):
                kept = word[0]
                block_rows = Mux(rows_left < params.tile, rows_left, params.tile)
                with m.If((run_rows != 0) & (kept != run)):
                    m.d.comb += offer(run_address, run_rows, ~run, 0)
                    with m.If(self.o.ready):
                        m.d.sync += run_rows.eq(0)
                with m.Else():
                    with m.If(run_rows == 0):
                        m.d.sync += [run.eq(kept), run_address.eq(address)]
                    m.d.sync += [
                        run_rows.eq(run_rows + block_rows),
                        address.eq(address + (request.plane.row_stride << shift)),
                        rows_left.eq(rows_left - params.tile),
                        word.eq(word >> 1),
                        bit.eq(bit + 1),
                    ]
                    with m.If(rows_left <= params.tile):
                        m.next = "LAST"
                    with m.Elif(bit == params.mask_word - 1):
                        m.next = "READ"
            with m.State("LAST"):
                m.d.comb += offer(run_address, run_rows, ~run, 1)
                with m.If(self.o.ready):
                    m.next = "REQUEST"
        return m
