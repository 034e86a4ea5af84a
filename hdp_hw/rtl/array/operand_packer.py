"""Which operands meet in which hardware multiplier: four products of digits, or one of operands."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.digits import less
from hdp_hw.rtl.common.pipeline import delay, register
from hdp_hw.spec.params import ArrayMode


def packed_width(params, side):
    """Bits of a packed operand: 3w - 1 on the left, 5w - 2 on the right."""
    return field_width(params) * {"left": 1, "right": 2}[side] + params.digit_width


def field_width(params):
    """Bits of a product of two digits within +- (2^(w-1) - 1), signed, as it lies in the product of packed operands."""
    return 2 * params.digit_width - 1


class OperandPacker(wiring.Component):
    """Operands for one side of a row (left) or a column (right) of sub-tiles, from the words of two rows or columns.

    With ``phase`` counting the cycles of a tile, lane l of the quarters 0..3 receives

    ======== ================== ================================== ==================================
    mode     word part          left (Q), rows a0, a1              right (K, V), columns b0, b1
    ======== ================== ================================== ==================================
    INTEGER  the whole word     a0 + (a1 << field), both I         b0 + (b1 << 2 * field), both I
    FULL     ``phase % 4``      a0, a0, a1, a1, whole operands     b0, b1, b0, b1, whole operands
    CONTEXT  ``phase % 2``      0, for the weight                  b0, b1, b0, b1, operands of V
    ======== ================== ================================== ==================================

    so that a multiplication is four products of digits, or the one of the score (quarter / 2, quarter % 2).

    Parameters
    ----------
    params : HdpParams
    side : str
        ``"left"`` or ``"right"``.

    Ports
    -----
    i_mode : In(unsigned(2))
        The tile array gives the ArrayMode of the words of the next clock cycle; CROSS is none here.
    i_phase : In(unsigned(2))
        With ``i_mode``: clock cycle of the tile, or slice of V, modulo 4, of these words.
    i_integer : In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), params.lanes), 2))
        Words of the I plane of two rows of Q or K; no digit is -2^(w-1).
    i_fraction : In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), params.lanes), 2))
        The words of the F plane.
    i_value : In(data.ArrayLayout(data.ArrayLayout(self.digits, params.lanes // 2), 2))
        Words of V of two keys: {0: F, 1: I} of each element. Not used by the left side.
    o_packed : Out(data.ArrayLayout(signed(packed_width(params, self.side)), params.lanes))
        What each lane multiplies.
    o_operands : Out(data.ArrayLayout(data.ArrayLayout(signed(params.operand_width), params.slice_width), 2))
        The operands of FULL and CONTEXT, of both rows or columns, one clock cycle before ``o_packed``.

    Timing
    ------
    Latency ``latency`` = 2 clock cycles, 1 to ``o_operands``; initiation interval 1, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array.packed_operands``.
    """

    latency = 2

    def __init__(self, params, side):
        self.params, self.side = params, side
        w, lanes = params.digit_width, params.lanes
        words = data.ArrayLayout(data.ArrayLayout(signed(w), lanes), 2)
        self.digits = data.ArrayLayout(signed(w), 2)
        values = data.ArrayLayout(data.ArrayLayout(self.digits, lanes // 2), 2)
        operands = data.ArrayLayout(data.ArrayLayout(signed(2 * w), params.slice_width), 2)
        super().__init__(
            {
                "i_mode": In(unsigned(2)),
                "i_phase": In(unsigned(2)),
                "i_integer": In(words),
                "i_fraction": In(words),
                "i_value": In(values),
                "o_packed": Out(data.ArrayLayout(signed(packed_width(params, side)), lanes)),
                "o_operands": Out(operands),
            }
        )

    def elaborate(self, platform):
        m = Module()
        w, lanes, quarter = self.params.digit_width, self.params.lanes, self.params.slice_width
        field = packed_width(self.params, self.side) - w  # from where the second digit stands
        # Registers of a row's own, and of a quarter's, as a multiplexer's select reaches many.
        for row in range(2):
            steering = register(m, Cat(self.i_mode, self.i_phase), f"steering_{row}", local=True)
            for i in range(quarter):
                digits = register(m, self._operand(row, i, steering[:2], steering[2:]), f"digits_{row}_{i}")
                m.d.comb += self.o_operands[row][i].eq(Cat(digits[:w], less(digits[w:], digits[w - 1])).as_signed())

        # A register each for what the modes share: the low bits, up to the field or to the operand, and the high digit.
        integer = self._copies(m, ArrayMode.INTEGER)
        context = self._copies(m, ArrayMode.CONTEXT) if self.side == "left" else None
        shared = min(field, 2 * w)
        for lane in range(lanes):
            first, second = self.i_integer[0][lane], self.i_integer[1][lane]
            low = register(m, first, f"low_{lane}")
            high = register(m, less(second, first[-1]), f"high_{lane}")
            q = lane // quarter
            whole = self.o_operands[q // 2 if self.side == "left" else q % 2][lane % quarter]
            extended, packed_low, packed_high = Signal(signed(shared)), Signal(signed(shared)), Signal(signed(w))
            m.d.comb += [
                extended.eq(low),
                packed_low.eq(Mux(integer[q], extended, whole[:shared])),
                packed_high.eq(Mux(integer[q], high, whole[-1].replicate(w))),
            ]
            if context:
                with m.If(context[q]):
                    m.d.comb += [packed_low.eq(0), packed_high.eq(0)]
            low, high = (
                register(m, part, f"packed_{name}_{lane}")
                for name, part in (("low", packed_low), ("high", packed_high))
            )
            sign = low[-1].replicate(field - shared)
            m.d.comb += self.o_packed[lane].eq(Cat(low, sign, high).as_signed())
        return m

    def _copies(self, m, mode):
        """For each quarter, whether the words of the clock cycle before were in this mode."""
        return [delay(m, self.i_mode == mode, 2, f"{mode.name.lower()}_{q}", local=True) for q in range(4)]

    def _operand(self, row, i, mode, phase):
        """Digits, F below I, of element i of the slice, of Q or K in FULL, of V in CONTEXT."""
        quarter = self.params.slice_width
        words = Cat(
            Array(plane[row][p * quarter + i] for p in range(4))[phase] for plane in (self.i_fraction, self.i_integer)
        )
        if self.side == "left":
            return words
        value = [self.i_value[row][h * quarter + i].as_value() for h in range(2)]
        return Mux(mode == ArrayMode.CONTEXT, Mux(phase[0], value[1], value[0]), words)
