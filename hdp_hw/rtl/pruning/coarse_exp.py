"""Coarse base-2 exponentials."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import turn_layout
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_WIDTH
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import COARSE_FRACTION, COARSE_MAX, COARSE_ONE


class CoarseExp(wiring.Component):
    """``e = 2^-x`` of each element of a turn: linear mantissa, ``((32 - 16 * frac(x)) << 10) >> int(x)``.

    ``x`` is a coarse logit with 4 fraction bits; it saturates at 255, whose exponential is 0. 2^15 stands for 1.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        BlockDistance gives the logits of a turn.
    i_logit : In(turn_layout(unsigned(DISTANCE_WIDTH), params))
        With ``i_valid``: the logit of each element.
    o_valid : Out(unsigned(1))
        The exponentials of a turn leave.
    o_exp : Out(turn_layout(unsigned(bits_for(COARSE_ONE)), params))
        With ``o_valid``: the exponential of each element.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles, one turn per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.coarse_exp.coarse_exp``; at most 6.2 % above 2^-x.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_logit": In(turn_layout(unsigned(DISTANCE_WIDTH), params)),
                "o_valid": Out(unsigned(1)),
                "o_exp": Out(turn_layout(unsigned(bits_for(COARSE_ONE)), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        one = 2 << COARSE_FRACTION  # the mantissa of x = 0, of which one LSB is 1/16 in x
        for r in range(self.params.predictor_rows):
            for c in range(self.params.tile):
                logit = self.i_logit[r][c]
                x = Signal(bits_for(COARSE_MAX), name=f"x_{r}_{c}", reset_less=True)
                mantissa = Signal(range(one + 1), name=f"mantissa_{r}_{c}")
                m.d.comb += mantissa.eq(one - x[:COARSE_FRACTION])
                m.d.sync += x.eq(Mux(logit > COARSE_MAX, COARSE_MAX, logit))
                exp = (mantissa * (COARSE_ONE // one)) >> x[COARSE_FRACTION:]
                m.d.comb += self.o_exp[r][c].eq(register(m, exp, f"exp_{r}_{c}"))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
