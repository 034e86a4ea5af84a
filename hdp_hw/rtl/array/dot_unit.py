"""One dot unit: the cell of the tile array that owns one score of a tile."""

from amaranth.hdl import Module, Mux, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.digit_multiplier import DigitMultiplier
from hdp_hw.rtl.common.pipeline import adder_tree, delay, register
from hdp_hw.spec.timing import tree_latency


class DotUnit(wiring.Component):
    """``lanes`` digit products, summed (INTEGER, CROSS) or fused four by four into 2w x 2w products (FULL, CONTEXT).

    The lanes are four quarters of L/4; element i of the quarters q0..q3 becomes
    ``(q0 << 2w) + ((q1 + q2) << w) + q3`` when fused and ``q0 + q1 + q2 + q3`` otherwise. ``o_sum`` adds the
    elements up (a score, or a part of it), ``o_elements`` gives them singly (context: products of one weight).
    In CONTEXT the left digits are the weight's, the same in every lane of a quarter: PI, PI, PF, PF.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_fused : In(unsigned(1))
        The tile array's micro-operation is one of FULL or CONTEXT.
    i_context : In(unsigned(1))
        CONTEXT: the left digits are those of ``i_weight``.
    i_left : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        The digits of Q of each lane; not used in CONTEXT.
    i_weight : In(data.ArrayLayout(signed(params.digit_width), 2))
        {0: F, 1: I}.
    i_right : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        The digits of K or V of each lane.
    o_elements : Out(data.ArrayLayout(signed(4 * params.digit_width), params.slice_width))
        The product of each pair of operands, four digit products each, where they came with ``i_fused``.
    o_sum : Out(signed(params.dot_width))
        The sum over all lanes.

    Timing
    ------
    ``o_elements`` come after ``elements_latency`` = 4 clock cycles, ``o_sum`` after ``latency``; initiation interval
    1, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array.dot_unit`` (weight_digits for the left digits of CONTEXT).
    """

    elements_latency = 1 + DigitMultiplier.latency + 2

    def __init__(self, params):
        self.params = params
        w = params.digit_width
        digits = data.ArrayLayout(signed(w), params.lanes)
        super().__init__(
            {
                "i_fused": In(unsigned(1)),
                "i_context": In(unsigned(1)),
                "i_left": In(digits),
                "i_weight": In(data.ArrayLayout(signed(w), 2)),
                "i_right": In(digits),
                "o_elements": Out(data.ArrayLayout(signed(4 * w), params.slice_width)),
                "o_sum": Out(signed(params.dot_width)),
            }
        )

    @property
    def latency(self):
        """Clock cycles from the digits to ``o_sum``."""
        return self.elements_latency + tree_latency(self.params.slice_width, 1)

    def elaborate(self, platform):
        m = Module()
        w, quarter = self.params.digit_width, self.params.slice_width
        m.submodules.multiplier = multiplier = DigitMultiplier(self.params)
        # A register of the unit's own before the multipliers: the digits serve a whole row or column of the array.
        for lane in range(self.params.lanes):
            weight = self.i_weight[1 - lane // (2 * quarter)]
            left = Mux(self.i_context, weight, self.i_left[lane])
            m.d.comb += [
                multiplier.i_left[lane].eq(register(m, left, f"left_{lane}", local=True)),
                multiplier.i_right[lane].eq(register(m, self.i_right[lane], f"right_{lane}", local=True)),
            ]

        products = [multiplier.o_product[lane] for lane in range(self.params.lanes)]
        fused = delay(m, self.i_fused, 1 + multiplier.latency, "fused", local=True)
        fused_again = delay(m, fused, 1, "fused_again", local=True)
        for i in range(quarter):
            p0, p1, p2, p3 = products[i::quarter]
            outer = register(m, Mux(fused, p0 << (2 * w), p0) + p3, f"outer_{i}")
            inner = register(m, p1 + p2, f"inner_{i}")
            element = outer + Mux(fused_again, inner << w, inner)
            m.d.comb += self.o_elements[i].eq(register(m, element, f"element_{i}"))
        m.d.comb += self.o_sum.eq(adder_tree(m, [self.o_elements[i] for i in range(quarter)], 1))
        return m
