"""Writes the output rows of heads, and a record of each head, to memory."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.axi import Response, write_data_layout, write_request_layout, write_signature
from hdp_hw.rtl.shell.commands import beat_layout, output_layout, plane_layout, record_layout
from hdp_hw.spec.depths import HELD_BURSTS, HELD_WORDS, MAX_BURST_BEATS, OPEN_BURSTS
from hdp_hw.spec.formats import RECORD_BYTES
from hdp_hw.spec.params import bits_for


class RowWriter(wiring.Component):
    """Packs the core's beats into bus words, element 0 lowest, and the words into bursts.

    A row starts at its own address; its last word may be partial, by strobes. Where a head has several targets, rows
    go to each in turn, and ``i_row`` says where. A burst ends at multiples of MAX_BURST_BEATS words, at the end of a
    head's rows, and at the end of a row, unless the next one follows at once and there is one target. A record has
    bursts of its own.

    Parameters
    ----------
    params : HdpParams
    n_targets : int
        Targets that a head has at most.
    out_lanes : int
        Operands of a beat, a power of two; those of the core's unless given.

    Ports
    -----
    i : In(stream.Signature(output_layout(params, self.n_targets)))
        One for each head. Addresses of several targets are not looked at.
    i_row : In(unsigned(params.address_width))
        With several targets: address of the next row. That of a head's first is there in the clock cycle after ``i``.
    o_row : Out(unsigned(1))
        With several targets: ``i_row`` is taken. That of the next row is there when the last word of this one is taken.
    i_data : In(stream.Signature(self.beat_layout))
        The core's output.
    i_record : In(stream.Signature(record_layout(params)))
        One for each head: after the head's last beat was taken, and not after the next head's first beat is offered.
        If it is offered before a beat was taken, the head has none.
    o : Out(write_signature(params))
        Every ID is 0.
    o_done : Out(unsigned(1))
        A head has been written: all its responses have come, and those of the heads before.
    o_error : Out(unsigned(1))
        A response other than OKAY; not after ``o_done`` of its head.
    o_malformed : Out(unsigned(1))
        ``last`` of ``i_data`` was not where the rows end.
    o_bytes_written : Out(unsigned(bits_for(params.bus_bytes)))
        In this clock cycle.

    Timing
    ------
    The first beat of a head is taken two clock cycles after ``i`` at the earliest; then one beat, of at most one bus
    word, per clock cycle, as long as ``o`` keeps up. Wider beats take a clock cycle for each of their bus words. The
    record is taken ``record_latency`` clock cycles after the last beat (three after ``i`` if there is none) at the
    earliest, plus one for each of its words if it is written; the next ``i`` in the clock cycle after that. Request and
    first word of a burst are offered three clock cycles after its last word was taken (of a wide beat, lower words are
    taken first; the highest is on offer after ``latency``); words follow one another without a gap. ``o_done`` and
    ``o_error`` follow the response by one clock cycle, or ``o_done`` the record by three if that is not written;
    ``o_bytes_written`` follows its word by one.

    Numerics
    --------
    Golden twin ``golden.bits.shell.write_traffic``; clock cycles: ``golden.cycles.shell.row_writer``.
    """

    def __init__(self, params, n_targets=1, out_lanes=None):
        out_lanes = out_lanes or params.out_lanes
        self.params, self.n_targets = params, n_targets
        self.beat_width = out_lanes * params.operand_width
        self.parts = max(1, self.beat_width // params.bus_width)  # bus words of a beat
        self.places = max(1, params.bus_width // self.beat_width)  # beats of a bus word
        self.latency, self.record_latency = self.parts + 2, self.parts + 1
        self.record_words = RECORD_BYTES // params.bus_bytes
        self.beat_layout = beat_layout(params, out_lanes)
        rows = {"i_row": In(unsigned(params.address_width)), "o_row": Out(unsigned(1))}
        super().__init__(
            {
                "i": In(stream.Signature(output_layout(params, n_targets))),
                "i_data": In(stream.Signature(self.beat_layout)),
                "i_record": In(stream.Signature(record_layout(params))),
                **(rows if n_targets > 1 else {}),
                "o": Out(write_signature(params)),
                "o_done": Out(unsigned(1)),
                "o_error": Out(unsigned(1)),
                "o_malformed": Out(unsigned(1)),
                "o_bytes_written": Out(unsigned(bits_for(params.bus_bytes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = _BurstBuilder(self.params, self.n_targets > 1)
        m.submodules.open_bursts = open_bursts = Queue(unsigned(2), OPEN_BURSTS, buffered=True)
        room = Signal()
        margin = self.parts + 2  # words that come after a look at the levels: of a beat, and of the cycles until then
        m.d.sync += room.eq(
            (bursts.o_words <= HELD_WORDS - margin)
            & (bursts.o_bursts <= HELD_BURSTS - margin)
            & (open_bursts.o_level <= OPEN_BURSTS - margin)
        )
        head_ends, without_record = self._words(m, bursts, room)
        m.d.comb += [
            open_bursts.i.valid.eq(bursts.o_ends | without_record),
            open_bursts.i.payload.eq(Cat(bursts.o_ends, head_ends | without_record)),
        ]
        self._responses(m, open_bursts)
        wiring.connect(m, bursts.aw, wiring.flipped(self.o.aw))
        wiring.connect(m, bursts.w, wiring.flipped(self.o.w))
        bytes_of_place = self.params.bus_bytes // self.places
        places = self.o.w.payload.strb[::bytes_of_place]
        m.d.sync += self.o_bytes_written.eq(Mux(self.o.w.valid & self.o.w.ready, sum(places) * bytes_of_place, 0))
        return m

    def _words(self, m, bursts, room):
        """Heads to words for ``bursts``; returns the strobes of a head's end, with its last burst and without one."""
        params, beat, record = self.params, self.i_data.payload, self.i_record.payload
        command = Signal(output_layout(params, self.n_targets))
        beats_left, rows_left = Signal(params.dim_width), Signal(params.seq_width)
        untouched, contiguous = Signal(), Signal()  # no beat of the head was taken; its rows follow one another
        place = Signal(range(max(2, self.places)))
        index = Signal(range(self.record_words))
        word, strobes = Signal(max(params.bus_width, self.beat_width)), Signal(params.bus_bytes)
        words_left = Signal(range(self.parts + 1))  # in word, lowest first
        row_ends, run_ends, head_ends = Signal(), Signal(), Signal()  # with the last of them
        target, following = Signal.like(command.last), Signal.like(command.last)  # of this row and the next
        beats = Signal.like(command.targets[0].beats)  # of a row of the next
        first = command.targets[0]
        row_words = (first.beats * self.parts + self.places - 1) >> self.places.bit_length() - 1
        last_beat, one_left = beats_left == 1, words_left == 1
        last_row = (rows_left == 1) & (target == command.last)
        without_record = Signal()

        m.d.comb += [
            bursts.i_valid.eq(words_left != 0),
            bursts.i_data.eq(word[: params.bus_width]),
            bursts.i_strobes.eq(strobes),
            bursts.i_row_ends.eq(row_ends & one_left),
            bursts.i_run_ends.eq(run_ends & one_left),
            *(bursts.i_target[name].eq(first[name]) for name in ("address", "row_stride")),
            following.eq(Mux(target == command.last, 0, target + 1)),
        ]
        with m.Switch(following):
            for number, of in enumerate(command.targets):
                with m.Case(number):
                    m.d.comb += beats.eq(of.beats)
        if self.n_targets > 1:
            m.d.comb += [bursts.i_row.eq(self.i_row), self.o_row.eq(bursts.i_valid & bursts.i_row_ends)]
        m.d.sync += [self.o_malformed.eq(0), words_left.eq(Mux(words_left == 0, 0, words_left - 1))]
        if self.parts > 1:
            m.d.sync += word.eq(word >> params.bus_width)

        with m.FSM(name="head"):
            with m.State("COMMAND"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += command.eq(self.i.payload)
                with m.If(self.i.valid):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += bursts.i_start.eq(1)
                if self.n_targets > 1:
                    m.d.comb += [bursts.i_target.address.eq(self.i_row), self.o_row.eq(1)]
                m.d.sync += [
                    contiguous.eq((row_words * params.bus_bytes == first.row_stride) & ~command.last.any()),
                    beats_left.eq(first.beats),
                    rows_left.eq(command.n_rows),
                    target.eq(0),
                    untouched.eq(1),
                    place.eq(0),
                ]
                m.next = "ROWS"
            with m.State("ROWS"):
                no_rows = untouched & self.i_record.valid
                m.d.comb += self.i_data.ready.eq(room & ~no_rows & (one_left | (words_left == 0)))
                with m.If(no_rows):
                    m.next = "RECORD"
                with m.If(self.i_data.valid & self.i_data.ready):
                    m.d.sync += [
                        untouched.eq(0),
                        words_left.eq(Mux(last_beat | (place == self.places - 1), self.parts, 0)),
                        place.eq(Mux(last_beat | (place == self.places - 1), 0, place + 1)),
                        beats_left.eq(Mux(last_beat, beats, beats_left - 1)),
                        rows_left.eq(rows_left - (last_beat & (target == command.last))),
                        target.eq(Mux(last_beat, following, target)),
                        row_ends.eq(last_beat),
                        run_ends.eq(last_beat & (last_row | ~contiguous)),
                        head_ends.eq(0),
                        self.o_malformed.eq(beat.last != (last_beat & last_row)),
                    ]
                    with m.Switch(place):
                        for p in range(self.places):
                            with m.Case(p):
                                held = (p + 1) * self.beat_width // 8
                                m.d.sync += [
                                    word[p * self.beat_width :].eq(beat.data.as_value()),  # and zeros above
                                    strobes.eq((1 << min(held, params.bus_bytes)) - 1),
                                ]
                    with m.If(last_beat & last_row):
                        m.next = "RECORD"
            with m.State("RECORD"):
                m.d.comb += bursts.i_target.address.eq(record.address)
                m.d.sync += index.eq(0)
                with m.If(self.i_record.valid & (words_left == 0)):
                    with m.If(record.enable):
                        m.d.comb += bursts.i_start.eq(1)
                        m.next = "WRITE"
                    with m.Elif(room):
                        m.d.comb += [without_record.eq(1), self.i_record.ready.eq(1)]
                        m.next = "COMMAND"
            with m.State("WRITE"):
                last_word = index == self.record_words - 1
                m.d.comb += self.i_record.ready.eq(room & last_word)
                with m.If(room):
                    m.d.sync += [
                        index.eq(index + 1),
                        word.eq(record.record.word_select(index, params.bus_width)),
                        strobes.eq((1 << params.bus_bytes) - 1),
                        words_left.eq(1),
                        row_ends.eq(0),
                        run_ends.eq(last_word),
                        head_ends.eq(last_word),
                    ]
                    with m.If(last_word):
                        m.next = "COMMAND"
        return head_ends, without_record

    def _responses(self, m, open_bursts):
        """Responses, in the order of bursts and heads."""
        is_burst, head_ends = open_bursts.o.payload
        m.d.comb += [
            self.o.b.ready.eq(open_bursts.o.valid & is_burst),
            open_bursts.o.ready.eq(~is_burst | self.o.b.valid),
        ]
        m.d.sync += [
            self.o_done.eq(open_bursts.o.valid & open_bursts.o.ready & head_ends),
            self.o_error.eq(self.o.b.valid & self.o.b.ready & (self.o.b.payload.resp != Response.OKAY)),
        ]


class _BurstBuilder(wiring.Component):
    """Words to bursts, whose words are offered when all are there. Takes every word: the parent watches the levels.

    asks : it is told the address of each row, and does not add strides itself.
    """

    def __init__(self, params, asks):
        self.params, self.asks = params, asks
        super().__init__(
            {
                "i_start": In(unsigned(1)),  # the next word goes to the target's address
                "i_target": In(plane_layout(params)),
                **({"i_row": In(unsigned(params.address_width))} if asks else {}),
                "i_valid": In(unsigned(1)),
                "i_data": In(unsigned(params.bus_width)),
                "i_strobes": In(unsigned(params.bus_bytes)),
                "i_row_ends": In(unsigned(1)),
                "i_run_ends": In(unsigned(1)),  # the next word does not follow at once
                "o_ends": Out(unsigned(1)),  # a burst is complete with this word
                "o_words": Out(range(HELD_WORDS + 1)),
                "o_bursts": Out(range(HELD_BURSTS + 1)),
                "aw": Out(stream.Signature(write_request_layout(params))),
                "w": Out(stream.Signature(write_data_layout(params))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params = self.params
        separate = bool(params.encoder)
        m.submodules.words = words = Queue(write_data_layout(params), HELD_WORDS, True, separate)
        m.submodules.requests = requests = Queue(write_request_layout(params), HELD_BURSTS, buffered=True)
        request, word = requests.i.payload, words.i.payload
        wiring.connect(m, requests.o, wiring.flipped(self.aw))
        line_layout = data.StructLayout(  # a page is so many bursts
            {
                "byte": unsigned(bits_for(params.bus_bytes - 1)),
                "place": unsigned(bits_for(MAX_BURST_BEATS - 1)),
                "line": unsigned(params.address_width - bits_for(MAX_BURST_BEATS * params.bus_bytes - 1)),
            }
        )
        burst, following = Signal(line_layout), Signal(line_layout)  # addresses of the burst and of the next one
        row = Signal(params.address_width)  # address of the next row
        place = Signal.like(burst.place)  # of this word
        count = Signal(range(MAX_BURST_BEATS))  # words that the burst has
        complete, completes = Signal(range(HELD_WORDS + 1)), Signal()  # bursts whose words are all held; one more

        ends, first = self.i_run_ends | place.all(), self.i_target
        m.d.comb += [
            following.line.eq(burst.line + 1),
            self.o_ends.eq(self.i_valid & ends),
            request.addr.eq(burst.as_value()),
            request.len.eq(count),
            word.data.eq(self.i_data),
            word.strb.eq(self.i_strobes),
            word.last.eq(ends),
            words.i.valid.eq(self.i_valid),
            requests.i.valid.eq(self.o_ends),
            self.o_words.eq(words.o_level),
            self.o_bursts.eq(requests.o_level),
        ]
        with m.If(self.i_valid):
            m.d.sync += [place.eq(place + 1), count.eq(count + 1)]
            with m.If(self.i_row_ends):
                m.d.comb += following.eq(self.i_row if self.asks else row)
                if not self.asks:
                    m.d.sync += row.eq(row + first.row_stride)
            with m.If(ends):
                m.d.sync += [burst.eq(following), place.eq(following.place), count.eq(0)]
        with m.If(self.i_start):
            m.d.comb += following.eq(first.address)
            m.d.sync += [burst.eq(following), place.eq(following.place)]
            if not self.asks:
                m.d.sync += row.eq(first.address + first.row_stride)

        m.d.comb += [
            self.w.valid.eq(words.o.valid & complete.any()),
            self.w.payload.eq(words.o.payload),
            words.o.ready.eq(self.w.ready & complete.any()),
        ]
        leaves = self.w.valid & self.w.ready & self.w.payload.last
        m.d.sync += [completes.eq(self.o_ends), complete.eq(complete + completes - leaves)]
        return m
