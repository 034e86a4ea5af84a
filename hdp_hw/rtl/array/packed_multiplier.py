"""Digit products in DSPs, two of each multiplication."""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register


class PackedMultiplier(wiring.Component):
    """``dsp_lanes`` products of each of two dot units that have the same right digits: those of rows r and r + 1.

    A multiplication makes two products: ``y = (left_r + (left_{r+1} << 2w)) * right``. Its low 2w bits are the one of
    row r, signed; what is above is the one of row r + 1, less one where that of row r is negative. Operands of 3w + 1
    and w bits: for w = 4 they fit the multipliers of 18 x 18 bits, of which yosys takes one for each.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The tile array gives digits.
    i_left : In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), params.dsp_lanes), 2))
        {0: of row r, 1: of row r + 1}.
    i_right : In(data.ArrayLayout(signed(params.digit_width), params.dsp_lanes))
        With ``i_valid``: the digit of each lane that both rows are multiplied by.
    o_valid : Out(unsigned(1))
        The products of the digits of ``latency`` clock cycles before are there.
    o_product : Out(data.ArrayLayout(data.ArrayLayout(signed(2 * params.digit_width), params.dsp_lanes), 2))
        With ``o_valid``: the products of each lane, {0: of row r, 1: of row r + 1}.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles, initiation interval 1, no back-pressure: a register for the packed operands,
    one for the products. What the high product lacks is added before its register, so that this is not the DSP's own:
    after it there is no adder with a carry input to spare for each of an element's products.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array.digit_products``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        w, lanes = params.digit_width, params.dsp_lanes
        digits = data.ArrayLayout(signed(w), lanes)
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_left": In(data.ArrayLayout(digits, 2)),
                "i_right": In(digits),
                "o_valid": Out(unsigned(1)),
                "o_product": Out(data.ArrayLayout(data.ArrayLayout(signed(2 * w), lanes), 2)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        w = self.params.digit_width
        m.d.comb += self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid"))
        for lane in range(self.params.dsp_lanes):
            left = register(m, self.i_left[0][lane] + (self.i_left[1][lane] << 2 * w), f"left_{lane}", local=True)
            right = register(m, self.i_right[lane], f"right_{lane}", local=True)
            y = Signal(signed(4 * w + 1), name=f"y_{lane}")
            low, high = y[: 2 * w], (y[2 * w : 4 * w] + y[2 * w - 1])[: 2 * w]
            m.d.comb += [
                y.eq(left * right),
                self.o_product[0][lane].eq(register(m, low.as_signed(), f"low_{lane}")),
                self.o_product[1][lane].eq(register(m, high.as_signed(), f"high_{lane}")),
            ]
        return m
