"""Results of Norm to rows of bus words."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.encoder.norm import result_layout
from hdp_hw.spec.encoder import WORD_WIDTH
from hdp_hw.spec.params import bits_for, ceil_div


class NormPacker(wiring.Component):
    """Makes of a row of results a row of words, then one of the operands' integer digits, then one of their fractions.

    Words leave as they come; digits wait in a memory until the row is complete. Each row is whole bus words, with zeros
    behind the last feature.

    Parameters
    ----------
    params : HdpParams
        ``encoder`` = 1.

    Ports
    -----
    i_words : In(unsigned(1))
        The row of words is made. Holds still from a row's first result to its last bus word.
    i_operands : In(unsigned(1))
        The two rows of digits are made. Holds still likewise.
    i : In(stream.Signature(result_layout()))
        From Norm: residual word and operand of each feature, ``last`` of a row.
    o : Out(stream.Signature(unsigned(params.bus_width)))
        To RowWriter: bus words of the rows, the first feature lowest.

    Timing
    ------
    A result per clock cycle, and after a row's last one as many clock cycles as its digits lack to whole bus words. A
    bus word of words is on offer in the clock cycle after its last result; then the row waits until it is taken. Bus
    words of digits follow, one every second clock cycle, the first ``latency`` = 2 clock cycles after the row's last
    digit if no bus word of words is on offer then; meanwhile no result is taken.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.shell.norm_lane``; clock cycles: ``golden.cycles.shell.norm_packer``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_words": In(unsigned(1)),
                "i_operands": In(unsigned(1)),
                "i": In(stream.Signature(result_layout())),
                "o": Out(stream.Signature(unsigned(params.bus_width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        result, width, digit = self.i.payload, self.params.bus_width, self.params.digit_width
        place = Signal(range(width // digit))  # of a feature in its bus word of digits
        pads, shifts, last, ends, full = Signal(), Signal(), Signal(), Signal(), Signal()
        word_ends, words_ended = place[: bits_for(width // WORD_WIDTH - 1)].all(), Signal()

        # A feature a clock cycle, or zeros behind the last: its word is shifted into a bus word, its digits into bytes.
        operand, word = Mux(pads, 0, result.operand), Signal(width)
        integer, fraction = ((operand + (1 << (digit - 1))) >> digit)[:digit], operand[:digit]
        m.d.comb += [last.eq(pads | result.last), ends.eq(shifts & place.all() & last)]
        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(shifts):
            m.d.sync += [place.eq(place + 1), pads.eq(last & ~ends)]
            m.d.sync += words_ended.eq((words_ended | (word_ends & last)) & ~ends)
            m.d.sync += word.eq(Cat(word[WORD_WIDTH:], Mux(pads, 0, result.word)[:WORD_WIDTH]))
            with m.If(self.i_words & word_ends & ~words_ended):
                m.d.sync += full.eq(1)

        # The memory's lower half has integers, a byte written with its second digit; the upper fractions, one later.
        n_words = ceil_div(self.params.max_features, width // digit)  # of the longest row of digits
        index, last_index, given = Signal(range(n_words)), Signal(range(n_words)), Signal(range(n_words))
        stored, ended, upper = Signal(), Signal(), Signal()
        bytes_layout = data.ArrayLayout(unsigned(8), self.params.bus_bytes)
        m.submodules.digits = digits = separate_memory(bytes_layout, 2 << len(index))
        write, read = digits.write_port(granularity=1), digits.read_port()
        first, second, fractions = Signal(2 * digit), Signal.like(write.en), Signal(2 * digit)  # digits; the byte, held
        with m.If(shifts):
            m.d.sync += [first.eq(Cat(integer, fraction)), fractions.eq(Cat(first[digit:], fraction))]
        m.d.sync += second.eq(0)
        m.d.comb += [
            write.addr.eq(Cat(index, second.any())),
            write.en.eq(second),
            *(byte.eq(Mux(second.any(), fractions, Cat(first[:digit], integer))) for byte in write.data),
            read.en.eq(1),
            read.addr.eq(Cat(given, upper)),
        ]
        with m.If(shifts & place[0]):
            m.d.comb += write.en.eq(1 << place[1:])
            m.d.sync += second.eq(1 << place[1:])
        m.d.sync += [stored.eq(shifts & place.all()), ended.eq(ends)]
        with m.If(stored):
            m.d.sync += index.eq(Mux(ended, 0, index + 1))
        with m.If(ends):
            m.d.sync += last_index.eq(index)

        m.d.comb += [self.o.valid.eq(full), self.o.payload.eq(word)]
        with m.FSM(name="rows"):
            with m.State("RESULTS"):
                room = ~full | self.o.ready
                m.d.comb += [self.i.ready.eq(room & ~pads), shifts.eq(room & (pads | self.i.valid))]
                with m.If(ends & self.i_operands):
                    m.next = "READ"
            with m.State("READ"), m.If(~full):
                m.next = "DIGITS"
            with m.State("DIGITS"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(read.data.as_value())]
                with m.If(self.o.ready):
                    over = given == last_index
                    m.d.sync += [given.eq(Mux(over, 0, given + 1)), upper.eq(upper ^ over)]
                    m.next = "READ"
                    with m.If(over & upper):
                        m.next = "RESULTS"
        return m
