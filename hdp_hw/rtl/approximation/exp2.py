"""Base-2 exponential of the distance between a score and the largest score of its row."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.multiply import multiply, multiply_constant, multiply_latency
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import TIME_CONSTANT_BITS, exp2_coefficients, guard, logit_fraction


class Exp2(wiring.Component):
    """One lane of softmax's exponential: ``t = (difference * mult) >> shift``, ``e = 2^-t``.

    A second-order polynomial gives the mantissa on the fraction f of t, a shift the rest [paper: second-order
    polynomial exponential]: ``e = (one - f * (b - a * f)) >> int(t)``. ``t`` has 5 integer bits and saturates, where
    e is 0 or as good as 0. ``o_weight`` is e rounded to the weight P that enters the array, 0 to ``digit_max``.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        An exponential enters.
    i_difference : In(unsigned(params.s_width))
        The row's largest score minus a score, in units of S.
    i_mult : In(unsigned(8))
        With ``i_shift``: base-2 logits per unit of S are ``mult >> shift``.
    i_shift : In(unsigned(6))
        The shift of ``i_mult``.
    o_valid : Out(unsigned(1))
        An exponential leaves.
    o_e : Out(unsigned(self.e_width))
        With ``o_valid``: 2^-t, ``one`` (digit_max << guard) standing for 1.
    o_weight : Out(unsigned(params.operand_width - 1))
        P, e without its guard bits, rounded: 0 to digit_max.

    Timing
    ------
    Latency ``latency`` clock cycles (12 for w = 4, 14 for w = 8), initiation interval 1, no back-pressure. Inputs are
    registered first, so a subtraction may precede them.

    Numerics
    --------
    ``difference`` is the row's largest score minus a score. Scores of one head lie within +-4^(2w-1) * head_dim, so
    a difference is below 2^s_width: unsigned, it needs no bit more than a score.
    Golden twin ``golden.bits.approximation.exp2`` (logit, exp2, weight), equal for every input. Relative
    error 0.32 %, plus one LSB of ``o_e`` where e is small (tb/model/test_approximation.py).
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_difference": In(unsigned(params.s_width)),
                "i_mult": In(unsigned(8)),
                "i_shift": In(unsigned(6)),
                "o_valid": Out(unsigned(1)),
                "o_e": Out(unsigned(self.e_width)),
                "o_weight": Out(unsigned(params.operand_width - 1)),
            }
        )

    @property
    def e_width(self):
        """Bits of an exponential, 0 to ``one``."""
        return bits_for(exp2_coefficients(self.params.digit_width)[0])

    @property
    def _product_latencies(self):
        """Clock cycles of the three multiplications: the logit's, a * f, f * (b - a * f)."""
        _, b, _ = exp2_coefficients(self.params.digit_width)
        f = unsigned(logit_fraction(self.params.digit_width))
        return (
            multiply_latency(unsigned(self.params.s_width), unsigned(8)),
            1,
            multiply_latency(f, unsigned(bits_for(b))),
        )

    @property
    def latency(self):
        """Clock cycles from input to output."""
        # Registers beside the multiplications: inputs, two of the logit's shift, b - a * f, mantissa, two of the
        # exponential's shift, rounding.
        return 8 + sum(self._product_latencies)

    def elaborate(self, platform):
        m = Module()
        w = self.params.digit_width
        fraction, bits = logit_fraction(w), guard(w)
        logit_bits = TIME_CONSTANT_BITS + fraction
        one, b, a = exp2_coefficients(w)
        logit_product, square_product, poly_product = self._product_latencies

        difference = delay(m, self.i_difference, 1, "difference")
        mult = delay(m, self.i_mult, 1, "mult")
        shift = delay(m, self.i_shift, 1 + logit_product, "shift")

        # t = min((difference * mult) >> shift, all ones), the shift by multiples of 8 first.
        product = multiply(m, difference, mult, "logit")
        coarse = Signal(product.shape())
        fine_shift = Signal(3)
        m.d.sync += [
            coarse.eq(product >> Cat(C(0, 3), shift[3:])),
            fine_shift.eq(shift[:3]),
        ]
        # At most 7 more places: bits above logit_bits + 7 saturate whatever the fine shift.
        fine = Signal(logit_bits + 7)
        saturates = Signal()
        t = Signal(logit_bits)
        m.d.comb += [
            fine.eq(coarse[: len(fine)] >> fine_shift),
            saturates.eq(coarse[len(fine) :].any() | fine[logit_bits:].any()),
        ]
        m.d.sync += t.eq(Mux(saturates, 2**logit_bits - 1, fine))

        # mantissa = one - f * (b - a * f)
        f = t[:fraction]
        square = multiply_constant(m, f, a, "square")
        inner = Signal(bits_for(b))
        m.d.sync += inner.eq(b - (square >> fraction))
        f_later = delay(m, f, square_product + 1, "f")
        poly = multiply(m, f_later, inner, "poly")
        mantissa = Signal(self.e_width)
        m.d.sync += mantissa.eq(one - (poly >> fraction))

        # e = mantissa >> int(t), by multiples of 8 first.
        places = delay(m, t[fraction:], square_product + 1 + poly_product + 1, "places")
        coarse_e = Signal(self.e_width)
        fine_places = Signal(3)
        e = Signal(self.e_width)
        m.d.sync += [
            coarse_e.eq(mantissa >> Cat(C(0, 3), places[3:])),
            fine_places.eq(places[:3]),
            e.eq(coarse_e >> fine_places),
        ]

        m.d.sync += [
            self.o_e.eq(e),
            self.o_weight.eq((e + (1 << (bits - 1))) >> bits),
        ]
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
