"""Reads contiguous regions of memory in bursts."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.axi import Response, read_request_layout, read_signature
from hdp_hw.spec.depths import FIFO_WORDS, MAX_BURST_BEATS
from hdp_hw.spec.params import bits_for


class BurstReader(wiring.Component):
    """Turns regions into bursts and delivers their bus words in order.

    A burst ends with its region, or at the next multiple of ``MAX_BURST_BEATS`` bus words, so that it never crosses
    ``PAGE_BYTES`` either. It is asked for when the FIFO has room for all of it: what the memory sends is taken at
    once, whatever becomes of ``o``, and never holds up another reader of the same memory.

    Parameters
    ----------
    params : HdpParams
    longest : int
        Bus words of the longest region.

    Ports
    -----
    i : In(stream.Signature(self.region_layout))
        ``address`` of the first bus word, its bits below the bus word being ignored; ``n_beats`` bus words, at least 1.
    memory : Out(read_signature(params))
        ID 0. Its ``r.ready`` is always 1.
    o : Out(stream.Signature(self.word_layout))
        ``data``, the bus words of all regions.
    o_error : Out(unsigned(1))
        A bus word came with another response than OKAY; it is delivered nevertheless.

    Timing
    ------
    A burst a clock cycle, so one bus word per clock cycle while the memory keeps up and ``o`` is ready. For a region
    taken in clock cycle t the first burst is offered in t + 2, and a bus word leaves ``latency`` = 3 clock cycles after
    the memory sent it. ``o_error`` follows its bus word by one clock cycle.

    Numerics
    --------
    Golden twin ``golden.cycles.shell.burst_reader``.
    """

    latency = 3

    def __init__(self, params, longest):
        self.params, self.longest = params, longest
        self.region_layout = data.StructLayout(
            {"address": unsigned(params.address_width), "n_beats": unsigned(bits_for(longest))}
        )
        self.word_layout = data.StructLayout({"data": unsigned(params.bus_width)})
        super().__init__(
            {
                "i": In(stream.Signature(self.region_layout)),
                "memory": Out(read_signature(params)),
                "o": Out(stream.Signature(self.word_layout)),
                "o_error": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, region, response = self.params, self.i.payload, self.memory.r.payload
        byte_bits, place_bits = bits_for(params.bus_bytes - 1), bits_for(MAX_BURST_BEATS - 1)

        # Two requests, so that cutting the next burst does not wait for the memory's ready within a clock cycle.
        # One word more than FIFO_WORDS, for the block RAM to have a power of two.
        request_layout = read_request_layout(params)
        m.submodules.requests = requests = Queue(request_layout, 2)
        separate = bool(params.encoder)
        m.submodules.words = words = Queue(unsigned(params.bus_width), FIFO_WORDS + 1, buffered=True, separate=separate)

        # The rest of a region: bus words from `place` of a line of MAX_BURST_BEATS to `last_place` of the line that is
        # `left` lines on. Its next burst is what lies in the first of these lines.
        active, ends, issue = Signal(), Signal(), Signal()
        place, line = Signal(place_bits), Signal(params.address_width - byte_bits - place_bits)
        last_place, left = Signal(place_bits), Signal(bits_for((self.longest - 2) // MAX_BURST_BEATS + 1))
        length = Signal(place_bits)  # beats less one
        # Words of the FIFO that no burst was promised, but for what was promised or read in the clock cycle before:
        # that is one burst at most, for which there must be room, too.
        free, promised, delivered = Signal(range(FIFO_WORDS + 1), init=FIFO_WORDS), Signal(place_bits + 1), Signal()
        first_place = region.address[byte_bits:][:place_bits]
        m.d.comb += [
            ends.eq(left == 0),
            length.eq(Mux(ends, last_place, MAX_BURST_BEATS - 1) - place),
            issue.eq(active & requests.i.ready & (free >= 2 * MAX_BURST_BEATS)),
            self.i.ready.eq(~active | (issue & ends)),
        ]
        with m.If(issue):
            m.d.sync += [line.eq(line + 1), place.eq(0), left.eq(left - 1), active.eq(~ends)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                Cat(place, line).eq(region.address >> byte_bits),
                Cat(last_place, left).eq(first_place + region.n_beats - 1),
                active.eq(1),
            ]

        wiring.connect(m, requests.o, wiring.flipped(self.memory.ar))
        m.d.comb += [
            requests.i.payload.addr.eq(Cat(Const(0, byte_bits), place, line)),
            requests.i.payload.len.eq(length),
            requests.i.valid.eq(issue),
        ]

        m.d.comb += [
            self.memory.r.ready.eq(1),
            words.i.valid.eq(self.memory.r.valid),
            words.i.payload.eq(response.data),
            words.o.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(words.o.ready):  # a block RAM is slow: nothing but a register behind it
            m.d.sync += [self.o.valid.eq(words.o.valid), self.o.payload.data.eq(words.o.payload)]
        m.d.sync += [
            self.o_error.eq(self.memory.r.valid & (response.resp != Response.OKAY)),
            promised.eq(Mux(issue, length + 1, 0)),
            delivered.eq(words.o.valid & words.o.ready),
            free.eq(free - promised + delivered),
        ]
        return m
