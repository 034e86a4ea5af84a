"""Coarse base-2 logits."""

from amaranth.hdl import C, Cat, Module, Mux, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import turn_layout
from hdp_hw.rtl.common.multiply import multiply
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.pruning.arithmetic import PRODUCT_LATENCY

DISTANCE_WIDTH = 17  #: one bit more than the largest margin, so that a distance saturates beyond every margin
DISTANCE_MAX = 2**DISTANCE_WIDTH - 2  #: largest distance
NO_DISTANCE = 2**DISTANCE_WIDTH - 1  #: stands for an element that is not valid; beyond every limit
FINE_SHIFT = 3  #: bits of kappa_shift that the factor takes up, once for all elements, so that less is shifted here


class CoarseLogit(wiring.Component):
    """``x = ((m - A) * kappa) >> kappa_shift`` of each valid element of a turn, saturating at ``DISTANCE_MAX``.

    The coarse logit of the mass rule, u13.4, which saturates further, at 255, where an exponential is taken of it.
    With ``kappa`` 1 and ``kappa_shift`` 0 it is the distance that the margin rule compares.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        BlockDistance gives the differences of a turn.
    i_difference : In(turn_layout(unsigned(params.a_width), params))
        Largest score of the query row minus score: never negative, so it needs no bit more than a score.
    i_elements : In(turn_layout(unsigned(1), params))
        Valid elements of the turn.
    i_factor : In(unsigned(8 + 2**FINE_SHIFT - 1))
        BlockDistance's ``kappa << (7 - kappa_shift % 8)``.
    i_coarse_shift : In(unsigned(5 - FINE_SHIFT))
        BlockDistance's ``kappa_shift // 8``.
    o_valid : Out(unsigned(1))
        The logits of a turn leave.
    o_logit : Out(turn_layout(unsigned(DISTANCE_WIDTH), params))
        With ``o_valid``: the logit of each element, ``NO_DISTANCE`` for one that is not valid.

    Timing
    ------
    Latency ``latency`` = 4 clock cycles, one turn per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.coarse_exp.coarse_logit``, up to saturation.
    """

    latency = PRODUCT_LATENCY + 2

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_difference": In(turn_layout(unsigned(params.a_width), params)),
                "i_elements": In(turn_layout(unsigned(1), params)),
                "i_factor": In(unsigned(8 + 2**FINE_SHIFT - 1)),
                "i_coarse_shift": In(unsigned(5 - FINE_SHIFT)),
                "o_valid": Out(unsigned(1)),
                "o_logit": Out(turn_layout(unsigned(DISTANCE_WIDTH), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shift = Cat(C(0, FINE_SHIFT), delay(m, self.i_coarse_shift, PRODUCT_LATENCY, "coarse_shift"))
        elements = delay(m, self.i_elements, PRODUCT_LATENCY + 1, "elements")
        for r in range(self.params.predictor_rows):
            for c in range(self.params.tile):
                scaled = multiply(m, self.i_difference[r][c], self.i_factor, f"scaled_{r}_{c}", PRODUCT_LATENCY)
                logit = register(m, scaled[2**FINE_SHIFT - 1 :] >> shift, f"shifted_{r}_{c}")
                # Only the lowest bit tells DISTANCE_MAX from what is one above.
                above, low = logit[DISTANCE_WIDTH:].any(), logit[:DISTANCE_WIDTH]
                saturated = Mux(above, DISTANCE_MAX, Cat(low[0] & ~low[1:].all(), low[1:]))
                valid = Mux(elements[r][c], saturated, NO_DISTANCE)
                m.d.comb += self.o_logit[r][c].eq(register(m, valid, f"saturated_{r}_{c}"))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
