"""Several writers behind one AXI write port."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.shell.axi import (
    write_data_layout,
    write_request_layout,
    write_response_layout,
    write_signature,
)
from hdp_hw.spec.depths import ARBITER_REQUESTS, ARBITER_WORDS, MAX_BURST_BEATS, MAX_OUTSTANDING_WRITES
from hdp_hw.spec.params import ParameterError, bits_for

N_EPOCHS = 4  #: that an ID can tell apart


class WriteArbiter(wiring.Component):
    """Takes whole bursts of its requesters, in turn, and sees them through, whatever becomes of the requesters.

    A burst is taken when there is room for all of its words. Should its requester be reset before it has given them
    all, the rest is made up of words that write nothing. A response goes to its requester, unless that was reset in
    between: then it belongs to a past epoch and is dropped, as is one that is not due.

    Parameters
    ----------
    params : HdpParams
    n : int
        Requesters.

    Ports
    -----
    i : In(write_signature(params)).array(self.n)
        The requesters. They offer a request when they can give the words of its burst, one per clock cycle, and words
        in the order of requests. IDs are ignored.
    o : Out(write_signature(params))
        An ID is the requester's index and, in the highest two bits, the epoch's number: ``i_epoch``, or the next one
        of which no response is due.
    i_epoch : In(unsigned(2))
        An epoch begins when it changes; in that clock cycle, all requesters must be in reset.
    i_stop : In(unsigned(1))
        No burst is taken in this clock cycle.
    o_outstanding : Out(unsigned(bits_for(MAX_OUTSTANDING_WRITES)))
        Bursts of this epoch that were taken and whose response was not.
    o_idle : Out(unsigned(1))
        No response is due, of any epoch.

    Timing
    ------
    A request every second clock cycle at most, and a word per clock cycle: bursts of two words or more follow one
    another without a gap, as long as ``o`` keeps up. From an idle arbiter, a request is taken one clock cycle after it
    is offered, and is on offer in ``latency`` = 2 more; its first word is taken two clock cycles after it, and takes
    as long to come out. Words may be offered before their request is accepted. A response reaches its requester in two
    clock cycles; one is accepted every second clock cycle at most. ``o_outstanding`` and ``o_idle`` follow by one.

    Numerics
    --------
    Clock cycles: ``golden.cycles.shell.write_arbiter``.

    Raises
    ------
    ParameterError
        An ID cannot name ``n`` requesters.
    """

    latency = 2

    def __init__(self, params, n):
        self.params, self.n = params, n
        self.index_width = params.axi_id_width - bits_for(N_EPOCHS - 1)
        if not 1 <= n <= 1 << self.index_width:
            raise ParameterError("n", n, f"1 to {1 << self.index_width}")
        super().__init__(
            {
                "i": In(write_signature(params)).array(n),
                "o": Out(write_signature(params)),
                "i_epoch": In(unsigned(2)),
                "i_stop": In(unsigned(1)),
                "o_outstanding": Out(unsigned(bits_for(MAX_OUTSTANDING_WRITES))),
                "o_idle": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        epoch, last_epoch, searches = Signal(2), Signal(2), Signal()  # searches: for the number of a new epoch
        changes, taken, word_leaves, slot_free = Signal(), Signal(), Signal(), Signal()
        due = Array(Signal(range(MAX_OUTSTANDING_WRITES + 1), name=f"due_{number}") for number in range(N_EPOCHS))
        of_epoch = Signal(range(MAX_OUTSTANDING_WRITES + 1))
        m.d.comb += [
            changes.eq(self.i_epoch != last_epoch),
            of_epoch.eq(due[epoch]),
            self.o_outstanding.eq(Mux(searches, 0, of_epoch)),
            self.o_idle.eq(Cat(*due) == 0),
        ]
        m.d.sync += last_epoch.eq(self.i_epoch)
        with m.If(changes):
            m.d.sync += [epoch.eq(self.i_epoch), searches.eq(1)]
        with m.Elif(of_epoch == 0):
            m.d.sync += searches.eq(0)
        with m.Elif(searches):
            m.d.sync += epoch.eq(epoch + 1)

        # Two requests are never taken in a row, so room may be told one clock cycle late.
        words_due, room = Signal(range(ARBITER_WORDS + 1)), Signal()
        has_room = (words_due <= ARBITER_WORDS - MAX_BURST_BEATS) & (of_epoch != MAX_OUTSTANDING_WRITES)
        m.d.sync += room.eq(has_room & ~(changes | searches))
        request, chosen = self._requests(m, epoch, changes, room & slot_free & ~(self.i_stop | changes), taken)
        self._words(m, chosen, request.len, changes, taken, slot_free, word_leaves)
        answered = self._responses(m, epoch, due, changes | searches)

        words_taken = Mux(taken, request.len[: bits_for(MAX_BURST_BEATS - 1)] + 1, 0)
        m.d.sync += words_due.eq(words_due + words_taken - word_leaves)
        for number, count in enumerate(due):
            m.d.sync += count.eq(count + (taken & (epoch == number)) - answered[number])
        return m

    def _requests(self, m, epoch, changes, may_take, taken):
        """Chooses a requester in one clock cycle and takes its request in a later one; returns request and choice."""
        layout = write_request_layout(self.params)
        m.submodules.requests = requests = Queue(layout, ARBITER_REQUESTS, buffered=True)
        wiring.connect(m, requests.o, wiring.flipped(self.o.aw))
        offered = Cat(port.aw.valid for port in self.i)
        chosen, after = Signal(self.n), Signal(self.n)  # one-hot or 0; all after the one that had its turn last
        candidates, ready = Signal(self.n), Signal()
        m.d.comb += candidates.eq(Mux((offered & after).any(), offered & after, offered))
        with m.If(changes | taken):
            m.d.sync += chosen.eq(0)
        with m.Elif(~chosen.any()):
            m.d.sync += chosen.eq(candidates & -candidates)
        with m.If(taken):
            m.d.sync += after.eq(~(chosen | (chosen - 1)))

        request = Signal(layout)
        index = _selected(chosen, [Const(k, self.index_width) for k in range(self.n)])
        m.d.comb += [
            ready.eq(may_take & requests.i.ready),
            taken.eq(ready & (chosen & offered).any()),
            *(port.aw.ready.eq(ready & chosen[k]) for k, port in enumerate(self.i)),
            request.eq(_selected(chosen, [port.aw.payload for port in self.i])),
            request.id.eq(Cat(index, epoch)),
            requests.i.valid.eq(taken),
            requests.i.payload.eq(request),
        ]
        return request, chosen

    def _words(self, m, chosen, length, changes, taken, slot_free, word_leaves):
        """Takes the words of a burst; meanwhile the next burst can wait in a slot."""
        layout = write_data_layout(self.params)
        m.submodules.words = words = Queue(layout, ARBITER_WORDS, buffered=True, separate=bool(self.params.encoder))
        wiring.connect(m, words.o, wiring.flipped(self.o.w))
        offered = Cat(port.w.valid for port in self.i)
        source, left, lost = Signal(self.n), Signal(8), Signal()  # one-hot or 0; words less one; it was reset
        next_source, next_left, next_lost = Signal(self.n), Signal(8), Signal()
        slot_full = Signal()
        word, given, moves = Signal(layout), Signal(), Signal()
        m.d.comb += [
            slot_free.eq(~slot_full),
            *(port.w.ready.eq(source[k] & ~lost) for k, port in enumerate(self.i)),
            given.eq((source & offered).any() | (source.any() & lost)),
            moves.eq(~source.any() | (given & (left == 0))),
            word.eq(_selected(source, [port.w.payload for port in self.i])),
            word.last.eq(left == 0),
            words.i.valid.eq(given),  # there is room, see words_due
            words.i.payload.eq(word),
            word_leaves.eq(self.o.w.valid & self.o.w.ready),
        ]
        with m.If(lost):
            m.d.comb += word.strb.eq(0)
        with m.If(given):
            m.d.sync += left.eq(left - 1)
        with m.If(moves):
            m.d.sync += [source.eq(next_source), left.eq(next_left), next_source.eq(0), slot_full.eq(0)]
        with m.If(taken):
            m.d.sync += [next_source.eq(chosen), next_left.eq(length), slot_full.eq(1)]
        m.d.sync += [
            lost.eq(changes | Mux(moves, next_lost, lost)),
            next_lost.eq(changes | (next_lost & ~moves & ~taken)),
        ]

    def _responses(self, m, epoch, due, drop):
        """Gives a response to its requester or drops it; returns the epoch whose response is taken, one-hot, or 0.

        In a first register it waits while the one before is in the second and may change what is due.
        """
        held, response, waits = Signal(), Signal(write_response_layout(self.params)), Signal()
        index, of_epoch = response.id[: self.index_width], response.id[self.index_width :]
        passes, addressee, ends, result = Signal(), Signal(self.n), Signal(N_EPOCHS), Signal(2)  # the second register
        for k, port in enumerate(self.i):
            m.d.comb += [port.b.valid.eq(addressee[k]), port.b.payload.resp.eq(result)]
        m.d.comb += [
            self.o.b.ready.eq(~held),
            waits.eq((addressee & ~Cat(port.b.ready for port in self.i)).any()),
        ]
        wanted = (due[of_epoch] != 0) & (of_epoch == epoch) & ~drop
        with m.If(~held):
            m.d.sync += [held.eq(self.o.b.valid), response.eq(self.o.b.payload)]
        with m.If(~passes):
            m.d.sync += [
                passes.eq(held),
                addressee.eq(Mux(held & wanted, Cat(index == k for k in range(self.n)), 0)),
                ends.eq(Mux(due[of_epoch] != 0, Cat(of_epoch == number for number in range(N_EPOCHS)), 0)),
                result.eq(response.resp),
            ]
            with m.If(held):
                m.d.sync += held.eq(0)
        with m.Elif(~waits):
            m.d.sync += [passes.eq(0), addressee.eq(0)]
        with m.Elif(drop):
            m.d.sync += addressee.eq(0)
        return Mux(passes & ~waits, ends, 0)


def _selected(one_hot, values):
    """The value of the one bit of ``one_hot`` that is set, or 0."""
    masked = [Mux(one_hot[k], Value.cast(value), 0) for k, value in enumerate(values)]
    return reduce(or_, masked)
