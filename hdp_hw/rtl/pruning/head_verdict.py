"""The verdict on a head."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import log2, serial_product
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.settings import RELATIVE_ONE, Rule, Verdict, field_limits

THRESHOLD_FRACTION = log2(RELATIVE_ONE)  #: fraction bits of tau_head and min_keep


class HeadVerdict(wiring.Component):
    """Whether a head is pruned, computed sparsely or, for safety, densely.

    ``theta_head * 256 < tau_head * n_valid`` is PRUNED: the mean |A| is too small [paper: early head pruning]. Else
    ``n_kept * 256 < min_keep * n_visited`` is FALLBACK, and anything else SPARSE. The dense rule gives DENSE.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable from ``i_totals_valid`` to ``o_valid``; ``rule``, ``tau_head`` and ``min_keep`` matter.
    i_totals_valid : In(unsigned(1))
        The three totals are complete, and stable from now on.
    i_theta_head : In(unsigned(params.theta_head_width))
        Sum of |A|.
    i_n_valid : In(unsigned(bits_for(params.max_seq_len**2)))
        Valid elements.
    i_n_visited : In(unsigned(params.count_width))
        Visited blocks.
    i_valid : In(unsigned(1))
        ``i_n_kept`` is complete.
    i_n_kept : In(unsigned(params.count_width))
        Kept blocks.
    o_valid : Out(unsigned(1))
        The verdict falls.
    o_verdict : Out(unsigned(3))
        With ``o_valid``: a Verdict.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles from ``i_valid``, which has to come ``totals_latency`` = 21 clock cycles (29
    for w = 8) after ``i_totals_valid`` or later: the products are computed one bit of the threshold a clock cycle.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.head_verdict``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_totals_valid": In(unsigned(1)),
                "i_theta_head": In(unsigned(params.theta_head_width)),
                "i_n_valid": In(unsigned(bits_for(params.max_seq_len**2))),
                "i_n_visited": In(unsigned(params.count_width)),
                "i_valid": In(unsigned(1)),
                "i_n_kept": In(unsigned(params.count_width)),
                "o_valid": Out(unsigned(1)),
                "o_verdict": Out(unsigned(3)),
            }
        )

    @property
    def totals_latency(self):
        """Clock cycles from the totals until ``i_valid`` may come."""
        return bits_for(field_limits(self.params)["tau_head"][1]) + 1

    def elaborate(self, platform):
        m = Module()
        settings, start = self.i_settings, self.i_totals_valid
        least_theta = serial_product(m, start, self.i_n_valid, settings.tau_head, "least_theta")
        least_kept = serial_product(m, start, self.i_n_visited, settings.min_keep, "least_kept")

        pruned, sparse = Signal(), Signal()
        m.d.sync += [
            pruned.eq((self.i_theta_head << THRESHOLD_FRACTION) < least_theta),
            sparse.eq((self.i_n_kept << THRESHOLD_FRACTION) >= least_kept),
        ]
        with m.If(self.i_settings.rule == Rule.DENSE):
            m.d.sync += self.o_verdict.eq(Verdict.DENSE)
        with m.Elif(pruned):
            m.d.sync += self.o_verdict.eq(Verdict.PRUNED)
        with m.Else():
            m.d.sync += self.o_verdict.eq(Mux(sparse, Verdict.SPARSE, Verdict.FALLBACK))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
