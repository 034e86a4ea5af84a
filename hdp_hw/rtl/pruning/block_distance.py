"""How far a block's scores lie below the largest scores of their query rows."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout, turn_layout, turn_row_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay, extreme_tree, register
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.rtl.pruning.coarse_exp import CoarseExp
from hdp_hw.rtl.pruning.coarse_logit import DISTANCE_WIDTH, FINE_SHIFT, CoarseLogit
from hdp_hw.spec.params import LEGAL_TILES, bits_for
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.tables import COARSE_ONE
from hdp_hw.spec.timing import tree_latency


class BlockDistance(wiring.Component):
    """Per query row of a turn: distance of the nearest valid score from the row's largest, and sum of exponentials.

    The distance is ``m - A`` for the margin rule, else its coarse logit ``x = ((m - A) * kappa) >> kappa_shift``. The
    sum is that of the coarse exponentials ``2^-x`` of the valid elements, the tile's share of Z.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(settings_layout(params))
        Stable from a clock cycle before the first turn; ``rule``, ``kappa`` and ``kappa_shift`` matter.
    i_valid : In(unsigned(1))
        The predictor gives the query rows of a tile whose turn it is.
    i_a : In(turn_layout(signed(params.a_width), params))
        Integer scores.
    i_elements : In(turn_layout(unsigned(1), params))
        Valid elements of the turn.
    i_row_max : In(turn_row_layout(signed(params.a_width), params))
        Largest valid score of each query row.
    o_valid : Out(unsigned(1))
        The distances of a turn leave.
    o_distance : Out(turn_row_layout(unsigned(DISTANCE_WIDTH), params))
        Saturates at ``DISTANCE_MAX``; ``NO_DISTANCE`` for a query row without a valid element in the tile.
    o_exp_sum : Out(turn_row_layout(unsigned(exp_sum_width(params)), params))
        Of use for the mass rule only.

    Timing
    ------
    Latency ``latency`` = 9 clock cycles, one turn per clock cycle, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.pruning.coarse_exp``.
    """

    # Registers: the difference, the logit, its exponential, and a sum that takes the same time for every tile edge.
    latency = 1 + CoarseLogit.latency + CoarseExp.latency + tree_latency(max(LEGAL_TILES))

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_settings": In(settings_layout(params)),
                "i_valid": In(unsigned(1)),
                "i_a": In(turn_layout(signed(params.a_width), params)),
                "i_elements": In(turn_layout(unsigned(1), params)),
                "i_row_max": In(turn_row_layout(signed(params.a_width), params)),
                "o_valid": Out(unsigned(1)),
                "o_distance": Out(turn_row_layout(unsigned(DISTANCE_WIDTH), params)),
                "o_exp_sum": Out(turn_row_layout(unsigned(exp_sum_width(params)), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tile, rows = self.params.tile, self.params.predictor_rows
        m.submodules.coarse_logit = coarse_logit = CoarseLogit(self.params)
        m.submodules.coarse_exp = coarse_exp = CoarseExp(self.params)

        # Differences of elements that are not valid are of no use, and may have overflowed.
        difference = Signal(turn_layout(unsigned(self.params.a_width), self.params), reset_less=True)
        for r in range(rows):
            for c in range(tile):
                m.d.sync += difference[r][c].eq(self.i_row_max[r] - self.i_a[r][c])
        is_margin, shift = self.i_settings.rule == Rule.MARGIN, self.i_settings.kappa_shift
        kappa, shift = Mux(is_margin, 1, self.i_settings.kappa), Mux(is_margin, 0, shift)
        m.d.comb += [
            coarse_logit.i_valid.eq(delay(m, self.i_valid, 1, "difference_valid")),
            coarse_logit.i_difference.eq(difference),
            coarse_logit.i_elements.eq(delay(m, self.i_elements, 1, "elements")),
            coarse_logit.i_factor.eq(register(m, kappa << ~shift[:FINE_SHIFT], "factor")),
            coarse_logit.i_coarse_shift.eq(register(m, shift[FINE_SHIFT:], "coarse_shift")),
            coarse_exp.i_valid.eq(coarse_logit.o_valid),
            coarse_exp.i_logit.eq(coarse_logit.o_logit),
        ]

        # What is not valid is farther than all others, and its exponential is 0.
        distance_padding = self.latency - (1 + CoarseLogit.latency) - log2(tile)
        sum_padding = tree_latency(max(LEGAL_TILES)) - tree_latency(tile)
        for r in range(rows):
            nearest = extreme_tree(m, coarse_logit.o_logit[r], largest=False, name=f"nearest_{r}")
            exp_sum = adder_tree(m, coarse_exp.o_exp[r], name=f"exp_sum_{r}")
            m.d.comb += [
                self.o_distance[r].eq(delay(m, nearest, distance_padding, f"distance_{r}")),
                self.o_exp_sum[r].eq(delay(m, exp_sum, sum_padding, f"exp_sum_{r}")),
            ]
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        return m


def exp_sum_width(params):
    """Bits of the sum of a query row's coarse exponentials in one tile."""
    return bits_for(COARSE_ONE * params.tile)
