"""Which digits meet in which multiplier: the four modes of the array."""

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import register
from hdp_hw.spec.params import ArrayMode


class OperandSelect(wiring.Component):
    """Digits for one side of the array, from the words that the operand buffers deliver.

    With ``phase`` counting the cycles of a tile, the quarters 0..3 of the lanes receive

    ======== ==================================== =============================== ===========================
    mode     word part                            left (Q)                        right (K, V)
    ======== ==================================== =============================== ===========================
    INTEGER  the whole word                       I                               I
    CROSS    half ``phase % 2``                   I, I, F, F                      F, F, I, I
    FULL     quarter ``phase % 4``                I, I, F, F                      I, F, I, F
    CONTEXT  half ``phase % 2`` of a V word       (none: weights, see DotUnit)    I, F, I, F
    ======== ==================================== =============================== ===========================

    Parameters
    ----------
    params : HdpParams
    side : str
        ``"left"`` or ``"right"``.

    Ports
    -----
    i_mode : In(unsigned(2))
        The tile array gives the ArrayMode of the words.
    i_phase : In(unsigned(2))
        With ``i_mode``: clock cycle of the tile, or slice of V, modulo 4.
    i_integer : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        A word of the I plane of Q or K.
    i_fraction : In(data.ArrayLayout(signed(params.digit_width), params.lanes))
        A word of the F plane.
    i_value : In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), 2), params.lanes // 2))
        A word of V: {0: F, 1: I} of each element. Not used by the left side.
    o_digits : Out(data.ArrayLayout(signed(params.digit_width), params.lanes))
        The digit that each lane multiplies.

    Timing
    ------
    Latency ``latency`` = 1 clock cycle, initiation interval 1, no back-pressure.

    Numerics
    --------
    Exact. Golden twin ``golden.bits.array.tile_array.operand_select``.
    """

    latency = 1

    def __init__(self, params, side):
        self.params, self.side = params, side
        w, lanes = params.digit_width, params.lanes
        word = data.ArrayLayout(signed(w), lanes)
        super().__init__(
            {
                "i_mode": In(unsigned(2)),
                "i_phase": In(unsigned(2)),
                "i_integer": In(word),
                "i_fraction": In(word),
                "i_value": In(data.ArrayLayout(data.ArrayLayout(signed(w), 2), lanes // 2)),
                "o_digits": Out(word),
            }
        )

    def elaborate(self, platform):
        m = Module()
        w, quarter = self.params.digit_width, self.params.slice_width
        planes = {"I": self.i_integer, "F": self.i_fraction}
        cross, full = ("IIFF", "IIFF") if self.side == "left" else ("FFII", "IFIF")
        for q in range(4):
            place = Signal(2, name=f"place_{q}")  # the quarter of its word that quarter q takes
            with m.Switch(self.i_mode):
                with m.Case(ArrayMode.INTEGER):
                    m.d.comb += place.eq(q)
                with m.Case(ArrayMode.CROSS):
                    m.d.comb += place.eq(Cat(C(q % 2, 1), self.i_phase[0]))
                with m.Default():
                    m.d.comb += place.eq(self.i_phase)
            for i in range(quarter):
                chosen = {
                    name: Array(plane[p * quarter + i] for p in range(4))[place] for name, plane in planes.items()
                }
                digit = Signal(signed(w), name=f"digit_{q}_{i}")
                with m.Switch(self.i_mode):
                    with m.Case(ArrayMode.INTEGER):
                        m.d.comb += digit.eq(chosen["I"])
                    with m.Case(ArrayMode.CROSS):
                        m.d.comb += digit.eq(chosen[cross[q]])
                    with m.Case(ArrayMode.FULL):
                        m.d.comb += digit.eq(chosen[full[q]])
                    if self.side == "right":
                        with m.Case(ArrayMode.CONTEXT):
                            value = [self.i_value[h * quarter + i]["FI".index(full[q])] for h in range(2)]
                            m.d.comb += digit.eq(Mux(self.i_phase[0], value[1], value[0]))
                m.d.comb += self.o_digits[q * quarter + i].eq(register(m, digit, f"register_{q}_{i}"))
        return m
