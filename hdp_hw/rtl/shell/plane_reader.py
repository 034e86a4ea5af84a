"""Reads the rows of planes from memory as words of the core's streams."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.axi import read_signature
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.rtl.shell.commands import segment_layout
from hdp_hw.spec.depths import MAX_SEGMENTS, joined_row_bits
from hdp_hw.spec.params import bits_for


class PlaneReader(wiring.Component):
    """Delivers segments: rows that are read, and rows of zeros that cost no access.

    A row begins at a bus word, and what is left of its last bus word is dropped. Rows that lie without a gap, and are
    no longer than :func:`joined_row_bits` counts, are read as one region, others row by row. The lowest bits of a bus
    word are the first word; of a word that is wider than the bus, the lowest bits come first.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i : In(stream.Signature(segment_layout(params)))
        ``n_rows`` and ``words`` are at least 1.
    memory : Out(read_signature(params))
        ID 0. Its ``r.ready`` is always 1.
    o : Out(stream.Signature(self.word_layout))
        ``data``, the segment's ``key``, and ``last`` with the last word of a segment that has it.
    o_bytes_read : Out(unsigned(bits_for(params.bus_bytes)))
        Bytes that came from the memory in the clock cycle before.
    o_skipped : Out(unsigned(self.joined_width))
        Bus words that need not be read for a segment of zeros, two clock cycles after it was taken; else 0.
    o_error : Out(unsigned(1))
        A bus word came with another response than OKAY; it is delivered nevertheless.
    o_missing : Out(unsigned(1))
        A segment is being delivered, and the sink waits for its next word, or takes one.

    Timing
    ------
    A segment every other clock cycle, and up to ``MAX_SEGMENTS`` ahead of ``o``. A word per clock cycle if the bus is
    as wide as a word, else a bus word per clock cycle, and zeros always a word per clock cycle; no clock cycle is lost
    between rows or segments. For a segment taken in clock cycle t while the reader is idle, the first burst is offered
    in t + 5, zeros begin in t + 4, and a word leaves ``latency`` = 4 clock cycles after the memory sent the last of it.

    Numerics
    --------
    Golden twin ``golden.cycles.shell.plane_reader``.
    """

    latency = BurstReader.latency + 1

    def __init__(self, params):
        self.params, self.row_width = params, joined_row_bits(params)
        self.joined_width = self.row_width + params.seq_width  # of the bus words of rows that are read as one region
        self.word_layout = data.StructLayout(
            {"data": unsigned(params.word_width), "key": unsigned(1), "last": unsigned(1)}
        )
        super().__init__(
            {
                "i": In(stream.Signature(segment_layout(params))),
                "memory": Out(read_signature(params)),
                "o": Out(stream.Signature(self.word_layout)),
                "o_bytes_read": Out(unsigned(bits_for(params.bus_bytes))),
                "o_skipped": Out(unsigned(self.joined_width)),
                "o_error": Out(unsigned(1)),
                "o_missing": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = BurstReader(self.params, (1 << self.joined_width) - 1)
        wiring.connect(m, wiring.flipped(self.memory), reader.memory)
        beat = self.memory.r.valid & self.memory.r.ready
        m.d.comb += self.o_error.eq(reader.o_error)
        m.d.sync += self.o_bytes_read.eq(Mux(beat, self.params.bus_bytes, 0))
        deliveries = self._ask(m, reader)
        self._deliver(m, reader, deliveries)
        return m

    def _ask(self, m, reader):
        """Regions of the segments, for the reader; returns the FIFO of what is to be delivered, in order."""
        params, segment = self.params, self.i.payload
        delivery = self._delivery_layout()
        m.submodules.deliveries = deliveries = Queue(delivery, MAX_SEGMENTS + 1, buffered=True)
        delivered = deliveries.i.payload
        m.d.comb += [
            delivered.words.left.eq(segment.words - 1),
            delivered.words.last.eq(segment.words == 1),
            delivered.rows.left.eq(segment.n_rows - 1),
            delivered.rows.last.eq(segment.n_rows == 1),
            *(delivered[name].eq(segment[name]) for name in ("zero", "key", "last")),
        ]

        # First stage: the segment, and bus words of a row.
        beats_width = bits_for(self._row_beats((1 << params.slice_index_width) - 1))
        asked, asks = Signal(segment_layout(params)), Signal()
        row_beats = Signal(beats_width)
        taken = self.i.valid & self.i.ready
        m.d.comb += [self.i.ready.eq(~asks & deliveries.i.ready), deliveries.i.valid.eq(taken)]
        with m.If(taken):
            m.d.sync += [asked.eq(segment), row_beats.eq(self._row_beats(segment.words)), asks.eq(~segment.zero)]

        # Second stage: bus words of all rows, and whether they are one region.
        measured = Signal()
        first, stride, n_rows = Signal(params.address_width), Signal(len(asked.row_stride)), Signal(params.seq_width)
        beats, all_beats, contiguous = Signal(beats_width), Signal(self.joined_width), Signal()
        product = asked.n_rows * row_beats[: self.row_width]
        m.d.sync += self.o_skipped.eq(Mux(delay(m, taken & segment.zero, 1, "zeros"), product, 0))
        begins, measures = Signal(), Signal()
        m.d.comb += measures.eq(asks & (~measured | begins))
        with m.If(begins):
            m.d.sync += measured.eq(0)
        with m.If(measures):
            m.d.sync += [
                first.eq(asked.address),
                stride.eq(asked.row_stride),
                n_rows.eq(asked.n_rows),
                beats.eq(row_beats),
                all_beats.eq(product),
                contiguous.eq(
                    (asked.row_stride == row_beats << bits_for(params.bus_bytes - 1))
                    & ~row_beats[self.row_width :].any()
                ),
                measured.eq(1),
                asks.eq(0),
            ]

        # Third stage: regions.
        offers, rows_left, region = Signal(), Signal(params.seq_width), Signal(reader.region_layout)
        step = Signal(len(stride))
        region_taken, last_row = Signal(), Signal()
        m.d.comb += [
            reader.i.valid.eq(offers),
            reader.i.payload.eq(region),
            region_taken.eq(offers & reader.i.ready),
            last_row.eq(rows_left == 1),
            begins.eq(measured & (~offers | (region_taken & last_row))),
        ]
        with m.If(region_taken):
            m.d.sync += [
                region.address.eq(region.address + step),
                rows_left.eq(rows_left - 1),
                offers.eq(~last_row),
            ]
        with m.If(begins):
            m.d.sync += [
                region.address.eq(first),
                step.eq(stride),
                region.n_beats.eq(Mux(contiguous, all_beats, beats)),
                rows_left.eq(Mux(contiguous, 1, n_rows)),
                offers.eq(1),
            ]
        return deliveries

    def _row_beats(self, words):
        """Bus words of a row of ``words`` words, a number or a Value."""
        wider = bits_for(self.params.word_width) - bits_for(self.params.bus_width)  # a word is 2**wider bus words
        return words << wider if wider >= 0 else (words + (1 << -wider) - 1) >> -wider

    def _delivery_layout(self):
        """A segment with its words and rows counted down: how many are left after the first, and whether none is."""
        return data.StructLayout(
            {
                "words": _count_layout(self.params.slice_index_width),
                "rows": _count_layout(self.params.seq_width),
                "zero": unsigned(1),
                "key": unsigned(1),
                "last": unsigned(1),
            }
        )

    def _deliver(self, m, reader, deliveries):
        """Words of the segments of ``deliveries``, out of the reader's bus words."""
        params = self.params
        delivery, active = Signal(self._delivery_layout()), Signal()
        words, rows = Signal.like(delivery.words), Signal.like(delivery.rows)
        row_ends, ends, free, emit, take = Signal(), Signal(), Signal(), Signal(), Signal()
        bus_word, value = reader.o.payload.data, Signal(params.word_width)
        m.d.comb += [
            row_ends.eq(words.last),
            ends.eq(words.last & rows.last),
            free.eq(~self.o.valid | self.o.ready),
            reader.o.ready.eq(take),
            deliveries.o.ready.eq(~active | (emit & ends)),
            self.o_missing.eq(active & free),
        ]
        reads = active & ~delivery.zero & reader.o.valid
        zeros = active & delivery.zero & free
        if params.word_width <= params.bus_width:
            n_parts = params.bus_width // params.word_width
            part = Signal(bits_for(n_parts - 1))  # of the bus word
            m.d.comb += [
                value.eq(bus_word.word_select(part, params.word_width)),
                emit.eq(zeros | (reads & free)),
                take.eq(reads & free & (row_ends | (part == n_parts - 1))),
            ]
            with m.If(reads & free):
                m.d.sync += part.eq(Mux(take, 0, part + 1))
        else:
            n_parts = params.word_width // params.bus_width
            part = Signal(range(n_parts))  # of the word
            complete = part == n_parts - 1
            begun = Signal(params.word_width - params.bus_width)  # the parts before, the latest highest
            m.d.comb += [
                value.eq(Cat(begun, bus_word)),
                emit.eq(zeros | (reads & free & complete)),
                take.eq(reads & (free | ~complete)),
            ]
            with m.If(take):
                m.d.sync += [begun.eq(value[params.bus_width :]), part.eq(part + 1)]

        with m.If(free):
            m.d.sync += self.o.valid.eq(emit)
        with m.If(emit):
            m.d.sync += [
                self.o.payload.data.eq(value),
                self.o.payload.key.eq(delivery.key),
                self.o.payload.last.eq(delivery.last & ends),
                words.left.eq(words.left - 1),
                words.last.eq(words.left == 1),
            ]
            with m.If(row_ends):
                m.d.sync += [words.eq(delivery.words), rows.left.eq(rows.left - 1), rows.last.eq(rows.left == 1)]
        with m.If(emit & delivery.zero):  # beside the enable, so that it is a reset, which takes no logic
            m.d.sync += self.o.payload.data.eq(0)
        following = deliveries.o.payload
        with m.If(deliveries.o.ready):
            m.d.sync += [
                delivery.eq(following),
                words.eq(following.words),
                rows.eq(following.rows),
                active.eq(deliveries.o.valid),
            ]


def _count_layout(width):
    return data.StructLayout({"left": unsigned(width), "last": unsigned(1)})
