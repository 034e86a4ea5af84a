"""The score of the key that stands in for a row's pruned keys."""

from amaranth.hdl import C, Cat, Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.reciprocal import Reciprocal
from hdp_hw.rtl.common.multiply import multiply, multiply_latency
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.tables import reciprocal_bits


class Compensator(wiring.Component):
    """Mean score of a query row's pruned keys, from the sum of their integer scores.

    ``mean = (pruned_sum << 2w) / n_pruned``: the integer score A stands at 2w places in a score S.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A row's sum enters.
    i_pruned_sum : In(signed(params.row_sum_width))
        Sum of A over the pruned keys of one query row.
    i_n_pruned : In(unsigned(params.seq_width))
        Their number, 0 to max_seq_len.
    o_valid : Out(unsigned(1))
        A mean leaves.
    o_mean : Out(signed(params.s_width))
        Mean score in units of S, rounded down.

    Timing
    ------
    Latency ``latency`` clock cycles (8 or 9 for w = 4, 10 for w = 8), initiation interval 1, no back-pressure. Inputs
    should come straight from registers.

    Numerics
    --------
    ``|pruned_sum| <= n_pruned * 4^(w-1) * max_head_dim``, as a sum of n_pruned scores obeys; beyond, the result
    wraps. ``n_pruned = 0`` gives 0. A mean is no larger than a score and fits s_width bits, the reciprocal's error
    included. Golden twin ``golden.bits.approximation.compensator``; relative error that of Reciprocal, and less than
    one unit of S (tb/model/test_approximation.py).
    """

    def __init__(self, params):
        self.params = params
        self._reciprocal = Reciprocal(params, params.seq_width)
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_pruned_sum": In(signed(params.row_sum_width)),
                "i_n_pruned": In(unsigned(params.seq_width)),
                "o_valid": Out(unsigned(1)),
                "o_mean": Out(signed(params.s_width)),
            }
        )

    @property
    def _product_latency(self):
        """Clock cycles of pruned_sum * r."""
        return multiply_latency(signed(self.params.row_sum_width), unsigned(self._reciprocal.r_width))

    @property
    def latency(self):
        """Clock cycles from input to output."""
        return self._reciprocal.latency + self._product_latency + 2  # two of the shift

    def elaborate(self, platform):
        m = Module()
        m.submodules.reciprocal = reciprocal = self._reciprocal
        m.d.comb += [
            reciprocal.i_valid.eq(self.i_valid),
            reciprocal.i_x.eq(self.i_n_pruned),
        ]
        pruned_sum = delay(m, self.i_pruned_sum, reciprocal.latency, "pruned_sum")
        product = multiply(m, pruned_sum, reciprocal.o_r)

        # product >> (constant - s) as (product >> constant) << s, by multiples of 4 first: the constant is what s = 0
        # (the largest n_pruned) needs, and no bit that comes back up is dropped before it is known to be surplus.
        constant = reciprocal.width - 1 + reciprocal_bits(self.params.digit_width) - self.params.operand_width
        s = delay(m, reciprocal.o_s, self._product_latency, "s")
        coarse = Signal(signed(self.params.s_width + 3))
        fine_shift = Signal(2)
        m.d.sync += [
            coarse.eq((product << Cat(C(0, 2), s[2:]))[constant - 3 :]),
            fine_shift.eq(s[:2]),
            self.o_mean.eq((coarse << fine_shift)[3:]),
        ]
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
