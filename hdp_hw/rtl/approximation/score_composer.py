"""A score from the per-cycle sums of its dot unit."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.params import ArrayMode


class ScoreComposer(wiring.Component):
    """Accumulates one dot unit's sums to a score ``S = (A << 2w) + (cross << w)``, or to the full product.

    Each sum enters with its mode's weight [paper: the fraction-fraction product is dropped]: INTEGER ``<< 2w``, CROSS
    ``<< w``, FULL as it is. The predictor's A is ``o_s >> 2w`` of a tile that ran in INTEGER alone.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A sum enters.
    i_first : In(unsigned(1))
        It is the first of a score.
    i_mode : In(unsigned(2))
        ArrayMode of the sum: INTEGER, CROSS or FULL.
    i_sum : In(signed(params.dot_width))
        The dot unit's result of one cycle.
    o_s : Out(signed(params.s_width))
        S of the sums since the last ``i_first``.

    Timing
    ------
    ``o_s`` follows ``i_valid`` by ``latency`` = 2 clock cycles. One sum per clock cycle, and the next score may start
    (``i_first``) in the cycle after; no back-pressure. Cycles without ``i_valid`` (CONTEXT) leave the score as it is.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array`` (scores, integer_scores).
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "i_mode": In(unsigned(2)),
                "i_sum": In(signed(params.dot_width)),
                "o_s": Out(signed(params.s_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        w = self.params.digit_width
        shifted = Signal(signed(self.params.s_width), reset_less=True)
        with m.Switch(self.i_mode):
            with m.Case(ArrayMode.INTEGER):
                m.d.sync += shifted.eq(self.i_sum << (2 * w))
            with m.Case(ArrayMode.CROSS):
                m.d.sync += shifted.eq(self.i_sum << w)
            with m.Default():
                m.d.sync += shifted.eq(self.i_sum)

        valid = delay(m, self.i_valid, 1, "valid", local=True)
        first = delay(m, self.i_first, 1, "first", local=True)
        with m.If(valid):
            m.d.sync += self.o_s.eq(Mux(first, 0, self.o_s) + shifted)
        return m
