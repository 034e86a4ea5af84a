"""One lane of the output: compensation and division."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.multiply import multiply, multiply_latency
from hdp_hw.rtl.approximation.requantizer import Requantizer
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import exp2_coefficients, guard


class Normaliser(wiring.Component):
    """One output element: ``((context << guard) + e_pruned * pruned_value) / denominator``, rounded and saturated.

    ``context`` is the sum of P * V over the kept keys, ``pruned_value`` the sum of V over the pruned ones, of which
    each weighs ``e_pruned`` (0 without compensation). The Reciprocal of the denominator is outside: the lanes of the
    drain share it.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        An element enters.
    i_context : In(signed(params.context_width))
        Sum of P * V over the kept keys.
    i_pruned_value : In(signed(params.value_sum_width))
        Sum of V over the pruned keys.
    i_e_pruned : In(unsigned(self.e_width))
        Exponential that each pruned key weighs, 0 to ``one``.
    i_r : In(unsigned(self.r_width))
        Mantissa of the denominator's Reciprocal, ``reciprocal_offset`` cycles after ``i_valid``.
    i_s : In(unsigned(self.s_width))
        Places of the denominator's Reciprocal, with ``i_r``.
    o_valid : Out(unsigned(1))
        An output leaves.
    o_y : Out(signed(params.operand_width))
        With ``o_valid``: the output element, s2w.
    o_saturated : Out(unsigned(1))
        The rounded quotient was no operand of 2w bits.

    Timing
    ------
    Latency ``latency`` clock cycles from ``i_valid`` (7 or 8 for w = 4, 11 for w = 8), initiation interval 1, no
    back-pressure. ``i_r`` and ``i_s`` are taken ``reciprocal_offset`` cycles (3 to 5) after the ``i_valid`` that they
    belong to, which hides most of the Reciprocal's latency; they should come straight from registers. The other
    inputs are registered first.

    Numerics
    --------
    Limits and errors are Requantizer's. Golden twin ``golden.bits.core.drain``.
    """

    def __init__(self, params):
        self.params = params
        self._requantizer = Requantizer(params)
        self.e_width = bits_for(exp2_coefficients(params.digit_width)[0])
        self.r_width, self.s_width = self._requantizer.r_width, self._requantizer.s_width
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_context": In(signed(params.context_width)),
                "i_pruned_value": In(signed(params.value_sum_width)),
                "i_e_pruned": In(unsigned(self.e_width)),
                "i_r": In(unsigned(self.r_width)),
                "i_s": In(unsigned(self.s_width)),
                "o_valid": Out(unsigned(1)),
                "o_y": Out(signed(params.operand_width)),
                "o_saturated": Out(unsigned(1)),
            }
        )

    @property
    def _product_latency(self):
        """Clock cycles of e_pruned * pruned_value."""
        return multiply_latency(unsigned(self.e_width), signed(self.params.value_sum_width))

    @property
    def reciprocal_offset(self):
        """Clock cycles by which ``i_r`` and ``i_s`` come after the other inputs."""
        return 2 + self._product_latency  # input registers, sum

    @property
    def latency(self):
        """Clock cycles from input to output."""
        return self.reciprocal_offset + self._requantizer.latency

    def elaborate(self, platform):
        m = Module()
        context = delay(m, self.i_context, 1 + self._product_latency, "context")
        e_pruned = delay(m, self.i_e_pruned, 1, "e_pruned")
        pruned_value = delay(m, self.i_pruned_value, 1, "pruned_value")
        compensation = multiply(m, e_pruned, pruned_value, "compensation")
        m.submodules.requantizer = requantizer = self._requantizer
        numerator = Signal(signed(requantizer.numerator_width))
        m.d.sync += numerator.eq((context << guard(self.params.digit_width)) + compensation)

        m.d.comb += [
            requantizer.i_valid.eq(delay(m, self.i_valid, self.reciprocal_offset, "valid")),
            requantizer.i_numerator.eq(numerator),
            requantizer.i_r.eq(self.i_r),
            requantizer.i_s.eq(self.i_s),
            self.o_valid.eq(requantizer.o_valid),
            self.o_y.eq(requantizer.o_y),
            self.o_saturated.eq(requantizer.o_saturated),
        ]
        return m
