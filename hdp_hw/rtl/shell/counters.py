"""The counters of the register map."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.register_bank import counter_layout


class Counters(wiring.Component):
    """Adds up what happens in each clock cycle, in 64 bits.

    Ports
    -----
    i : In(self.increment_layout)
        By how much each counter grows in the clock cycle.
    i_clear : In(unsigned(1))
        From RegisterBank, a strobe: all counters become 0 in the next clock cycle.
    o : Out(counter_layout())
        The counters, to RegisterBank.
    o_overflow : Out(unsigned(1))
        A counter went beyond 64 bits.

    Timing
    ------
    An increment shows two clock cycles later.
    """

    def __init__(self):
        self.increment_layout = data.StructLayout({name: unsigned(32) for name, _ in counter_layout()})
        super().__init__(
            {
                "i": In(self.increment_layout),
                "i_clear": In(unsigned(1)),
                "o": Out(counter_layout()),
                "o_overflow": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        increments = Signal(self.increment_layout)
        m.d.sync += [increments.eq(self.i), self.o_overflow.eq(0)]
        for name, _ in counter_layout():
            counter, total = self.o[name], Signal(65, name=f"{name}_total")
            m.d.comb += total.eq(counter + increments[name])
            m.d.sync += counter.eq(total)
            with m.If(total[64]):
                m.d.sync += self.o_overflow.eq(1)
            with m.If(self.i_clear):
                m.d.sync += counter.eq(0)
        return m
