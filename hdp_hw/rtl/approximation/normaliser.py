"""Output elements: compensation and division."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.reciprocal import Reciprocal
from hdp_hw.rtl.approximation.requantizer import Requantizer
from hdp_hw.rtl.common.multiply import multiply, multiply_latency, multiply_sparing
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import exp2_coefficients, guard, normalised_width


class Normaliser(wiring.Component):
    """``((context << guard) + e_pruned * pruned_value) / ((weight_sum << guard) + e_pruned * n_pruned)``.

    ``out_lanes`` output elements of one query row, rounded and saturated. ``context`` is the sum of P * V over the
    kept keys, ``pruned_value`` the sum of V over the pruned ones, of which each weighs ``e_pruned``, which is 0 without
    compensation. The lanes share the denominator and its Reciprocal.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        Elements enter.
    i_weight_sum : In(unsigned(bits_for(params.digit_max * params.max_seq_len)))
        Sum of P over the kept keys.
    i_e_pruned : In(unsigned(self.e_width))
        Exponential that each pruned key weighs, 0 to ``one``.
    i_n_pruned : In(unsigned(params.seq_width))
        Number of pruned keys.
    i_context : In(data.ArrayLayout(signed(params.context_width), params.out_lanes))
        Sums of P * V over the kept keys, ``lead`` clock cycles after ``i_valid``.
    i_pruned_value : In(data.ArrayLayout(signed(params.value_sum_width), params.out_lanes))
        Sums of V over the pruned keys, with ``i_context``.
    o_valid : Out(unsigned(1))
        Outputs leave.
    o_y : Out(data.ArrayLayout(signed(params.operand_width), params.out_lanes))
        With ``o_valid``: the output elements, s2w.

    Timing
    ------
    Latency ``latency`` clock cycles (11 for w = 4, 14 for w = 8), initiation interval 1, no back-pressure.
    ``i_context`` and ``i_pruned_value`` come ``lead`` clock cycles (4 or 5) later than the other inputs, which the
    Reciprocal takes. All inputs should come straight from registers.

    Numerics
    --------
    Limits and errors are Requantizer's. Golden twin ``golden.bits.core.drain``.
    """

    def __init__(self, params):
        self.params = params
        self.e_width = bits_for(exp2_coefficients(params.digit_width)[0])
        self.reciprocal = Reciprocal(params, normalised_width(params.digit_width, params.max_seq_len))
        self.requantizers = [Requantizer(params) for _ in range(params.out_lanes)]
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_weight_sum": In(unsigned(bits_for(params.digit_max * params.max_seq_len))),
                "i_e_pruned": In(unsigned(self.e_width)),
                "i_n_pruned": In(unsigned(params.seq_width)),
                "i_context": In(data.ArrayLayout(signed(params.context_width), params.out_lanes)),
                "i_pruned_value": In(data.ArrayLayout(signed(params.value_sum_width), params.out_lanes)),
                "o_valid": Out(unsigned(1)),
                "o_y": Out(data.ArrayLayout(signed(params.operand_width), params.out_lanes)),
            }
        )

    @property
    def _product_latencies(self):
        """Clock cycles of e_pruned * n_pruned and of e_pruned * pruned_value."""
        e, n = unsigned(self.e_width), unsigned(self.params.seq_width)
        return multiply_latency(e, n), multiply_latency(e, signed(self.params.value_sum_width))

    @property
    def _at_requantizers(self):
        """Clock cycles from ``i_valid`` to the quotient's operands: product, sum, reciprocal."""
        return self._product_latencies[0] + 1 + self.reciprocal.latency

    @property
    def lead(self):
        """Clock cycles from ``i_valid`` to ``i_context``, whose way is product and sum."""
        return self._at_requantizers - self._product_latencies[1] - 1

    @property
    def latency(self):
        """Clock cycles from ``i_valid`` to ``o_valid``."""
        return self._at_requantizers + self.requantizers[0].latency

    def elaborate(self, platform):
        m = Module()
        bits = guard(self.params.digit_width)
        of_sums, of_values = self._product_latencies

        # The denominator.
        pruned_weight = multiply_sparing(m, self.params, self.i_e_pruned, self.i_n_pruned, "pruned_weight", of_sums)
        weight_sum = delay(m, self.i_weight_sum, of_sums, "weight_sum")
        m.submodules.reciprocal = reciprocal = self.reciprocal
        denominator = Signal(reciprocal.width)
        m.d.sync += denominator.eq((weight_sum << bits) + pruned_weight)
        m.d.comb += [
            reciprocal.i_valid.eq(delay(m, self.i_valid, of_sums + 1, "valid")),
            reciprocal.i_x.eq(denominator),
        ]

        # The numerators, and the quotients.
        e_pruned = delay(m, self.i_e_pruned, self.lead, "e_pruned")
        for lane, requantizer in enumerate(self.requantizers):
            m.submodules[f"requantizer_{lane}"] = requantizer
            compensation = multiply(m, e_pruned, self.i_pruned_value[lane], f"compensation_{lane}")
            context = delay(m, self.i_context[lane], of_values, f"context_{lane}")
            numerator = Signal(signed(requantizer.numerator_width), name=f"numerator_{lane}")
            m.d.sync += numerator.eq((context << bits) + compensation)
            m.d.comb += [
                requantizer.i_valid.eq(reciprocal.o_valid),
                requantizer.i_numerator.eq(numerator),
                requantizer.i_r.eq(reciprocal.o_r),
                requantizer.i_s.eq(reciprocal.o_s),
                self.o_y[lane].eq(requantizer.o_y),
            ]
        m.d.comb += self.o_valid.eq(self.requantizers[0].o_valid)
        return m
