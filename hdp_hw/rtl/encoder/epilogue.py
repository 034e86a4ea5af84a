"""From the sums of a linear layer to words or operands."""

from amaranth.hdl import C, Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.encoder.rounding import operand, saturate, shift_right, shifted
from hdp_hw.spec.encoder import (
    FACTOR_FRACTION,
    MULT_FRACTION,
    MULT_WIDTH,
    PRESHIFT,
    SCALED_WIDTH,
    SEGMENT_BITS,
    SEGMENT_FRACTION,
    SHIFT_MAX,
    SUM_WIDTH,
    WORD_WIDTH,
    Activation,
)
from hdp_hw.spec.params import bits_for


class Epilogue(wiring.Component):
    """A sum scaled by its output channel's multiplier, through an activation, to a word and to an operand.

    ``y = sat16(rnd(sat18(rnd(sum * 2^5 / 2^shift)) * mult / 2^17))``; of ``TABLE`` the word is
    ``sat16(left + rnd(slope * f / 2^7))`` with the segment ``(left, slope)`` of y and the place f of y in it; the
    operand is the word times ``factor / 2^16``. Three multiplications, each of one hardware multiplier of 18 x 18 bits.

    Ports
    -----
    i_valid : In(unsigned(1))
        A sum enters.
    i_sum : In(signed(SUM_WIDTH))
        Sum of products and bias.
    i_shift : In(unsigned(self.shift_width))
        With ``i_sum``: places of its channel, 0 to ``SHIFT_MAX``.
    i_mult : In(unsigned(MULT_WIDTH))
        With ``i_sum``: multiplier of its channel.
    i_factor : In(unsigned(MULT_WIDTH))
        With ``i_sum``: factor of its channel, from word to operand.
    i_activation : In(Activation)
        With ``i_sum``: what its word goes through.
    i_write : In(unsigned(1))
        A segment of the table is written; no sum of ``TABLE`` may be on its way.
    i_segment : In(unsigned(SEGMENT_BITS))
        With ``i_write``: the segment's number, 0 for the lowest words.
    i_line : In(self.line_layout)
        With ``i_write``: word at the segment's left end, and slope.
    o_valid : Out(unsigned(1))
        A result leaves.
    o_word : Out(signed(WORD_WIDTH))
        With ``o_valid``: the word.
    o_operand : Out(signed(8))
        With ``o_valid``: the operand of that word.

    Timing
    ------
    Latency ``latency`` = 10 clock cycles, initiation interval 1, no back-pressure.

    Numerics
    --------
    Exact as docs/numerics.md defines it. Golden twin ``golden.bits.encoder.epilogue``.
    """

    latency = 10  # three of the scaled sum, product, word; line, product; activation; product, operand

    def __init__(self):
        self.shift_width = bits_for(SHIFT_MAX)
        self.line_layout = data.StructLayout({"left": signed(WORD_WIDTH), "slope": signed(WORD_WIDTH)})
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_sum": In(signed(SUM_WIDTH)),
                "i_shift": In(unsigned(self.shift_width)),
                "i_mult": In(unsigned(MULT_WIDTH)),
                "i_factor": In(unsigned(MULT_WIDTH)),
                "i_activation": In(Activation),
                "i_write": In(unsigned(1)),
                "i_segment": In(unsigned(SEGMENT_BITS)),
                "i_line": In(self.line_layout),
                "o_valid": Out(unsigned(1)),
                "o_word": Out(signed(WORD_WIDTH)),
                "o_operand": Out(signed(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        scaled = shifted(m, Cat(C(0, PRESHIFT), self.i_sum).as_signed(), self.i_shift, SCALED_WIDTH, "scaled")
        product = register(m, scaled * delay(m, self.i_mult, 3, "mult"), "product")
        rounded = saturate(m, shift_right(product, MULT_FRACTION), WORD_WIDTH, "rounded")
        y = register(m, rounded, "y")

        # The line of the word's segment, which is read while y is, and the word on it.
        line = delay(m, self._line(m, rounded), 1, "line", reset_less=True)
        f = delay(m, y[:SEGMENT_FRACTION], 1, "f")
        rise = register(m, line.slope * f, "rise")
        left = delay(m, line.left, 1, "left")
        half = 1 << (SEGMENT_FRACTION - 1)
        exact = Cat(C(half, SEGMENT_FRACTION), left).as_signed() + rise
        on_line = saturate(m, exact >> SEGMENT_FRACTION, WORD_WIDTH, "on_line")

        before = delay(m, y, 2, "before", reset_less=True)
        activated = Signal(signed(WORD_WIDTH))
        with m.Switch(delay(m, self.i_activation, 7, "activation")):
            with m.Case(Activation.TABLE):
                m.d.comb += activated.eq(on_line)
            with m.Case(Activation.RELU):
                m.d.comb += activated.eq(before & ~before[-1].replicate(WORD_WIDTH))
            with m.Default():
                m.d.comb += activated.eq(before)
        word = register(m, activated, "word")

        in_units = register(m, word * delay(m, self.i_factor, 8, "factor"), "in_units")
        result = register(m, operand(m, in_units, FACTOR_FRACTION, "clipped"), "operand")
        m.d.comb += [
            self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid")),
            self.o_word.eq(delay(m, word, 2, "late_word", reset_less=True)),
            self.o_operand.eq(result),
        ]
        return m

    def _line(self, m, y):
        """The segment of word y, one clock cycle later."""
        m.submodules.lines = lines = separate_memory(self.line_layout, 1 << SEGMENT_BITS)
        write, read = lines.write_port(), lines.read_port()
        m.d.comb += [
            write.en.eq(self.i_write),
            write.addr.eq(self.i_segment),
            write.data.eq(self.i_line),
            read.en.eq(1),
            read.addr.eq(Cat(y[SEGMENT_FRACTION:-1], ~y[-1])),
        ]
        return read.data
