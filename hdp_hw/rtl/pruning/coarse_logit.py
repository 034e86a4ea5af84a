"""Coarse base-2 logits of a tile."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import tile_layout
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.rtl.pruning.arithmetic import PRODUCT_LATENCY, product

DISTANCE_WIDTH = 17  #: one bit more than the largest margin, so that a distance saturates beyond every margin
DISTANCE_MAX = 2**DISTANCE_WIDTH - 2  #: largest distance
NO_DISTANCE = 2**DISTANCE_WIDTH - 1  #: stands for an element that is not valid; beyond every limit


class CoarseLogit(wiring.Component):
    """``x = ((m - A) * kappa) >> kappa_shift`` of each element of a tile, saturating at ``DISTANCE_MAX``.

    The coarse logit of the mass rule, u13.4, which saturates further, at 255, where an exponential is taken of it.
    With ``kappa`` 1 and ``kappa_shift`` 0 it is the distance that the margin rule compares.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        BlockDistance gives a tile of differences.
    i_difference : In(tile_layout(unsigned(params.a_width), params))
        Largest score of the query row minus score: never negative, so it needs no bit more than a score.
    i_kappa : In(unsigned(8))
        The head's factor from scores to logits; holds still while its tiles pass.
    i_kappa_shift : In(unsigned(5))
        The head's shift, likewise.
    o_valid : Out(unsigned(1))
        The logits of a tile leave.
    o_logit : Out(tile_layout(unsigned(DISTANCE_WIDTH), params))
        With ``o_valid``: the logit of each element.

    Timing
    ------
    Latency ``latency`` = 4 clock cycles, one tile per clock cycle, no back-pressure. ``i_kappa_shift`` belongs to the
    tile that entered with it, as ``i_kappa`` does.

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
                "i_difference": In(tile_layout(unsigned(params.a_width), params)),
                "i_kappa": In(unsigned(8)),
                "i_kappa_shift": In(unsigned(5)),
                "o_valid": Out(unsigned(1)),
                "o_logit": Out(tile_layout(unsigned(DISTANCE_WIDTH), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shift = delay(m, self.i_kappa_shift, PRODUCT_LATENCY, "shift")
        coarse_shift = delay(m, shift[3:], 1, "coarse_shift")
        for r in range(self.params.tile):
            for c in range(self.params.tile):
                scaled = product(m, self.i_difference[r][c], self.i_kappa, f"scaled_{r}_{c}")
                # The shift in two steps, by 0 to 7 and by multiples of 8.
                shifted = register(m, scaled >> shift[:3], f"shifted_{r}_{c}")
                logit = Signal(scaled.shape(), name=f"logit_{r}_{c}")
                m.d.comb += logit.eq(shifted >> Cat(C(0, 3), coarse_shift))
                # Only the lowest bit tells DISTANCE_MAX from what is one above.
                above, low = logit[DISTANCE_WIDTH:].any(), logit[:DISTANCE_WIDTH]
                saturated = Mux(above, DISTANCE_MAX, Cat(low[0] & ~low[1:].all(), low[1:]))
                m.d.comb += self.o_logit[r][c].eq(register(m, saturated, f"saturated_{r}_{c}"))
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m
