"""Operands of V to their two signed digits."""

from amaranth.hdl import C, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.digits import beyond, more


class DigitSplitter(wiring.Component):
    """``x = (I << w) + F`` for ``lanes / 2`` operands; x saturates at +- ``digit_max`` first.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The plane store gives a word of V.
    i_x : In(data.ArrayLayout(signed(params.operand_width), params.lanes // 2))
        With ``i_valid``: the operands of the word.
    o_valid : Out(unsigned(1))
        The digits of a word leave.
    o_digits : Out(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), 2), params.lanes // 2))
        {0: F, 1: I} of each operand.

    Timing
    ------
    Latency ``latency`` = 1 clock cycle, initiation interval 1, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.digits.split``.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        w, n = params.digit_width, params.lanes // 2
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_x": In(data.ArrayLayout(signed(2 * w), n)),
                "o_valid": Out(unsigned(1)),
                "o_digits": Out(data.ArrayLayout(data.ArrayLayout(signed(w), 2), n)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o_valid.eq(self.i_valid)
        for i in range(self.params.lanes // 2):
            integer, fraction = split_operand(m, self.i_x[i], self.params, f"x_{i}")
            m.d.sync += [self.o_digits[i][1].eq(integer), self.o_digits[i][0].eq(fraction)]
        return m


def split_operand(m, operand, params, name):
    """``(I, F)`` of an operand, in the same clock cycle; as w bits each. name : of its signals."""
    w = params.digit_width
    high, low = Signal(name=f"{name}_high"), Signal(name=f"{name}_low")
    m.d.comb += [to.eq(is_beyond) for to, is_beyond in zip((high, low), beyond(operand, w))]
    largest = (1 << (w - 1)) - 1  # of a digit
    digits = more(operand[w:], operand[w - 1]), operand[:w]
    return tuple(Mux(high, C(largest, w), Mux(low, C(-largest, signed(w)).as_unsigned(), digit)) for digit in digits)
