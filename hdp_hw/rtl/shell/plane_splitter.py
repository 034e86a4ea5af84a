"""Rows of operands to rows of their integer digits and of their fraction digits."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.digit_splitter import split_operand
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.commands import beat_layout
from hdp_hw.spec.params import ceil_div


class PlaneSplitter(wiring.Component):
    """Makes two rows of a row of operands: first that of the integer digits, then that of the fraction digits.

    A digit takes half an operand, so two beats become one of each row; the last is half empty where a row has an odd
    number. Heads that are not split pass through.

    Parameters
    ----------
    params : HdpParams
        ``digit_width`` = 4, at least 2 operands in a beat.

    Ports
    -----
    i_head : In(stream.Signature(self.head_layout))
        From CoreLane, one for each head: whether its rows are split, and ``beats`` of a row. Taken with the last beat.
    i : In(stream.Signature(self.beat_layout))
        The core's output: operands, and ``last`` of a head.
    o : Out(stream.Signature(self.beat_layout))
        To RowWriter: the same, or bytes of two digits each, the first lowest.

    Timing
    ------
    A beat passes in the clock cycle in which it comes. Of a row that is split, beats of integer digits leave with each
    second beat and with the last one. None is taken while the fraction digits leave, a beat a clock cycle, from the
    clock cycle after the row's last beat on, or the second after it where they are one beat.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.shell.planes``; clock cycles: ``golden.cycles.shell.row_writer``.
    """

    def __init__(self, params):
        self.params = params
        longest = max(params.max_head_dim, params.max_seq_len)  # row: of attention, of a block of channels
        self.most = max(2, ceil_div(longest, 2 * params.out_lanes))  # beats of a row of digits
        self.odd_rows = params.slice_width < 2 * params.out_lanes  # else every row has an even number of beats
        self.head_layout = data.StructLayout({"planes": unsigned(1), "beats": unsigned(params.dim_width)})
        self.beat_layout = beat_layout(params)
        super().__init__(
            {
                "i_head": In(stream.Signature(self.head_layout)),
                "i": In(stream.Signature(self.beat_layout)),
                "o": Out(stream.Signature(self.beat_layout)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, head, beat = self.params, self.i_head.payload, self.i.payload
        half = params.out_lanes * params.digit_width  # bits of a beat's digits of one kind
        row_layout = data.StructLayout({"digits": unsigned(2 * half), "ends": unsigned(1), "last": unsigned(1)})
        m.submodules.fractions = fractions = Queue(row_layout, self.most, buffered=True, separate=True)
        index = Signal(params.dim_width)  # of a row's beat
        odd, ends, taken = index[0], Signal(), self.i.valid & self.i.ready
        digits = [split_operand(m, operand, params, f"x_{i}") for i, operand in enumerate(beat.data)]
        planes = [Cat(parts) for parts in zip(*digits)]
        held = [Signal(half, name=f"held_{part}") for part in ("integer", "fraction")]
        integer, fraction = (Cat(low, plane) for low, plane in zip(held, planes))
        if self.odd_rows:
            integer, fraction = (Cat(Mux(odd, low, plane), Mux(odd, plane, 0)) for low, plane in zip(held, planes))
        m.d.comb += [
            ends.eq(index == head.beats - 1),
            self.i_head.ready.eq(taken & beat.last),
            fractions.i.payload.digits.eq(fraction),
            fractions.i.payload.ends.eq(ends),
            fractions.i.payload.last.eq(beat.last),
        ]
        with m.If(taken):
            m.d.sync += [index.eq(Mux(ends, 0, index + 1)), *(low.eq(plane) for low, plane in zip(held, planes))]
        with m.FSM(name="rows"):
            with m.State("INTEGERS"):
                m.d.comb += [
                    self.o.payload.eq(beat),
                    self.o.valid.eq(self.i_head.valid & self.i.valid),
                    self.i.ready.eq(self.i_head.valid & self.o.ready),
                ]
                with m.If(head.planes):
                    complete = odd | ends
                    m.d.comb += [
                        self.o.payload.data.eq(integer),
                        self.o.payload.last.eq(0),
                        self.o.valid.eq(self.i_head.valid & self.i.valid & complete),
                        self.i.ready.eq(self.i_head.valid & (self.o.ready | ~complete)),
                        fractions.i.valid.eq(taken & complete),
                    ]
                    with m.If(taken & ends):
                        m.next = "FRACTIONS"
            with m.State("FRACTIONS"):
                m.d.comb += [
                    self.o.payload.data.eq(fractions.o.payload.digits),
                    self.o.payload.last.eq(fractions.o.payload.last),
                    self.o.valid.eq(fractions.o.valid),
                    fractions.o.ready.eq(self.o.ready),
                ]
                with m.If(fractions.o.valid & self.o.ready & fractions.o.payload.ends):
                    m.next = "INTEGERS"
        return m
