"""Reciprocal square root of a positive integer."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import register
from hdp_hw.rtl.encoder.row_moments import VARIANCE_WIDTH
from hdp_hw.spec.encoder import GUESS_FRACTION, ROOT_FRACTION, ROOT_INDEX_BITS, ROOT_WINDOW, root_table
from hdp_hw.spec.params import bits_for

MULTIPLIER_LATENCY = 2  #: of the multiplier that it borrows: a register before and one behind the product
Q_WIDTH = ROOT_FRACTION + 2  #: unsigned bits of the mantissa
E_WIDTH = bits_for(ROOT_WINDOW // 2)  #: of the exponent
FACTOR_WIDTH = 18  #: signed bits of what is multiplied
PRODUCT_WIDTH = 2 * FACTOR_WIDTH


class InverseRoot(wiring.Component):
    """``1 / sqrt(v) ~ q * 2^(e - 43)``: a table and one Newton step, with a multiplier that others use too.

    ``v << 2e`` has its highest bit in one of the two highest places of 56 bits; the upper 17 bits are y. Then
    ``guess = table[y]``, ``square = guess^2 >> 6``, ``correction = (3 * 2^31 - y * square) >> 16`` and
    ``q = guess * correction >> 11``.

    Ports
    -----
    i_start : In(unsigned(1))
        An integer is there; not before ``o_done`` of the one before.
    i_v : In(unsigned(VARIANCE_WIDTH))
        With ``i_start``: the integer.
    o_left : Out(signed(FACTOR_WIDTH))
        What the multiplier takes from ``i_start`` to ``o_done``.
    o_right : Out(signed(FACTOR_WIDTH))
        What it multiplies that by.
    i_product : In(signed(PRODUCT_WIDTH))
        Their product, ``MULTIPLIER_LATENCY`` = 2 clock cycles later.
    o_done : Out(unsigned(1))
        The result is there, and stays until the next ``i_start``.
    o_q : Out(unsigned(Q_WIDTH))
        From ``o_done`` on: mantissa, 2^15 - 8 to 2^16; 0 for v = 0.
    o_e : Out(unsigned(E_WIDTH))
        From ``o_done`` on: places by which v was shifted to the left, by two.

    Timing
    ------
    ``o_done`` comes ``latency`` + e clock cycles after ``i_start``, with ``latency`` = 12.

    Numerics
    --------
    Golden twin ``golden.bits.encoder.inverse_root``.
    """

    latency = 12  # shift, table, three products of three cycles each, result

    def __init__(self):
        super().__init__(
            {
                "i_start": In(unsigned(1)),
                "i_v": In(unsigned(VARIANCE_WIDTH)),
                "o_left": Out(signed(FACTOR_WIDTH)),
                "o_right": Out(signed(FACTOR_WIDTH)),
                "i_product": In(signed(PRODUCT_WIDTH)),
                "o_done": Out(unsigned(1)),
                "o_q": Out(unsigned(Q_WIDTH)),
                "o_e": Out(unsigned(E_WIDTH)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        v = Signal(ROOT_WINDOW)
        y, guesses = v[-ROOT_FRACTION - 2 :], root_table()
        segment = (y >> (ROOT_FRACTION - ROOT_INDEX_BITS)) - (1 << ROOT_INDEX_BITS)
        depth = 1 << bits_for(len(guesses) - 1)
        block = {"rom_style": "block"}  # else yosys makes LUTs of so small a table
        m.submodules.table = table = memory.Memory(
            shape=range(max(guesses) + 1), depth=depth, init=guesses, attrs=block
        )
        read = table.read_port()
        guess = register(m, read.data, "guess")  # from the clock cycle behind GUESS on
        factor = Signal(Q_WIDTH)  # the square, then the correction
        product, wait = self.i_product.as_unsigned(), Signal(range(MULTIPLIER_LATENCY + 1))
        arrived = wait == MULTIPLIER_LATENCY
        m.d.sync += self.o_done.eq(0)
        m.d.comb += [self.o_left.eq(guess), self.o_right.eq(factor)]
        m.d.comb += [read.en.eq(1), read.addr.eq(segment)]
        with m.FSM(name="root"):
            with m.State("IDLE"), m.If(self.i_start):
                m.d.sync += [v.eq(self.i_v), self.o_e.eq(0)]
                m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(v[-2:].any() | (self.o_e == ROOT_WINDOW // 2)):
                    m.next = "GUESS"
                with m.Else():
                    m.d.sync += [v.eq(v << 2), self.o_e.eq(self.o_e + 1)]
            with m.State("GUESS"):
                m.next = "SQUARE"
            with m.State("SQUARE"):
                m.d.comb += self.o_right.eq(guess)
                m.d.sync += factor.eq(product >> (2 * GUESS_FRACTION - ROOT_FRACTION - 1))
                self._next(m, arrived, wait, "CORRECTION")
            with m.State("CORRECTION"):
                m.d.comb += self.o_left.eq(y)
                with m.If(arrived):
                    m.d.sync += factor.eq(((3 << (2 * ROOT_FRACTION + 1)) - product) >> (ROOT_FRACTION + 1))
                self._next(m, arrived, wait, "PRODUCT")
            with m.State("PRODUCT"):
                m.d.sync += self.o_q.eq(Mux(v[-2:].any(), product >> GUESS_FRACTION, 0))
                m.d.sync += self.o_done.eq(arrived)
                self._next(m, arrived, wait, "IDLE")
        return m

    def _next(self, m, arrived, wait, state):
        """To ``state`` when the product is there."""
        m.d.sync += wait.eq(Mux(arrived, 0, wait + 1))
        with m.If(arrived):
            m.next = state
