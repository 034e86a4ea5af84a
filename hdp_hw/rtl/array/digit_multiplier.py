"""A row of signed digit multipliers."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import register


class DigitMultiplier(wiring.Component):
    """``lanes`` products of two signed w-bit digits a cycle.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_left : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        The dot unit gives a digit of the left operand for each lane.
    i_right : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        The digit that each lane multiplies it by.
    o_product : Out(data.ArrayLayout(signed(2 * params.digit_width), params.lanes))
        The product of each lane.

    Timing
    ------
    Latency ``latency`` = 1 clock cycle, initiation interval 1, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array.digit_products``.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        w, lanes = params.digit_width, params.lanes
        digits = data.ArrayLayout(signed(w), lanes)
        super().__init__(
            {
                "i_left": In(digits),
                "i_right": In(digits),
                "o_product": Out(data.ArrayLayout(signed(2 * w), lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for lane in range(self.params.lanes):
            product = register(m, self.i_left[lane] * self.i_right[lane], f"product_{lane}")
            m.d.comb += self.o_product[lane].eq(product)
        return m
