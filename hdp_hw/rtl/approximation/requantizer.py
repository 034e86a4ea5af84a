"""From a softmax-weighted sum to an output operand."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.multiply import multiply, multiply_latency
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import REQUANTIZE_FRACTION, normalised_width, numerator_width, reciprocal_bits


class Requantizer(wiring.Component):
    """``round(numerator / denominator)``, saturated to an operand, by the denominator's reciprocal.

    ``normalised = (numerator << s) >> cut`` keeps 8 bits below the output's LSB, and
    ``y = (normalised * r + half) >> (8 + R)``.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A numerator and its denominator enter.
    i_numerator : In(signed(self.numerator_width))
        Sum of ``one`` times V.
    i_r : In(unsigned(self.r_width))
        With ``i_valid``: mantissa of the denominator's Reciprocal.
    i_s : In(unsigned(self.s_width))
        With ``i_valid``: places of the denominator's Reciprocal.
    o_valid : Out(unsigned(1))
        An output leaves.
    o_y : Out(signed(params.operand_width))
        With ``o_valid``: the output element, s2w.

    Timing
    ------
    Latency ``latency`` clock cycles (4 for w = 4, 6 for w = 8), initiation interval 1, no back-pressure.
    ``i_numerator`` should come straight from a register.

    Numerics
    --------
    ``(r, s)`` are those of a Reciprocal of width ``normalised_width``. A mean of operands obeys
    ``|numerator| <= denominator * 2^(2w-1)``, and so ``|numerator << s| < 2^(width + 2w - 1)``; beyond that the result
    wraps. ``r = 0`` (no denominator) gives 0. Golden twin ``golden.bits.approximation.requantizer``. Error at most 0.5
    LSB of rounding, 2^-8 LSB of the cut, and the reciprocal's: 0.88 LSB for w = 4, 4.8 LSB for w = 8 at full scale
    (tb/model/test_approximation.py).
    """

    def __init__(self, params):
        self.params = params
        w = params.digit_width
        self.width = normalised_width(w, params.max_seq_len)
        self.numerator_width = numerator_width(w, params.max_seq_len)
        self.r_width = reciprocal_bits(w) + 1
        self.s_width = bits_for(self.width)
        # |numerator << s| < 2^(width + 2w - 1), of which the low ``cut`` bits go.
        self._cut = self.width - 1 - REQUANTIZE_FRACTION
        self._normalised_width = params.operand_width + 1 + REQUANTIZE_FRACTION
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_numerator": In(signed(self.numerator_width)),
                "i_r": In(unsigned(self.r_width)),
                "i_s": In(unsigned(self.s_width)),
                "o_valid": Out(unsigned(1)),
                "o_y": Out(signed(params.operand_width)),
            }
        )

    @property
    def _product_latency(self):
        """Clock cycles of normalised * r."""
        return multiply_latency(signed(self._normalised_width), unsigned(self.r_width))

    @property
    def latency(self):
        """Clock cycles from input to output."""
        return 3 + self._product_latency  # two of the shift, rounding

    def elaborate(self, platform):
        m = Module()
        # (numerator << s) >> cut, the shift by multiples of 8 first; 7 bits below the cut may still come up.
        below = self._cut - 7
        coarse = Signal(signed(self._normalised_width + 7))
        fine_shift = Signal(3)
        normalised = Signal(signed(self._normalised_width))
        m.d.sync += [
            coarse.eq((self.i_numerator << Cat(C(0, 3), self.i_s[3:]))[below:]),
            fine_shift.eq(self.i_s[:3]),
            normalised.eq((coarse << fine_shift)[7:]),
        ]

        r = delay(m, self.i_r, 2, "r")
        product = multiply(m, normalised, r)

        # Half an LSB is added to what is left above its place.
        total = REQUANTIZE_FRACTION + reciprocal_bits(self.params.digit_width)
        limit = 2 ** (self.params.operand_width - 1)
        rounded = Signal(signed(len(product) - total + 1))
        m.d.comb += rounded.eq((product[total - 1 :].as_signed() + 1) >> 1)
        over, under = rounded >= limit, rounded < -limit
        m.d.sync += self.o_y.eq(Mux(over, limit - 1, Mux(under, -limit, rounded)))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
