"""What the array has done since reset."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.params import ArrayMode


class ActivityCounters(wiring.Component):
    """Counts clock cycles with a head inside the core, and those that the array spends in each mode.

    An ``exact`` array has no CROSS: its counter stays 0.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_inside : In(unsigned(1))
        The head table marks clock cycles in which an entry is in use.
    i_valid : In(unsigned(1))
        The sequencer marks clock cycles in which the array is given a micro-operation.
    i_mode : In(unsigned(2))
        ArrayMode of that micro-operation.
    o_counters : Out(self.counter_layout)
        ``cycles`` with a head inside, and the clock cycles of each ArrayMode, modulo 2^64.

    Timing
    ------
    A clock cycle is counted in the next.
    """

    def __init__(self, params):
        self.params = params
        names = ("cycles", *(mode.name.lower() for mode in ArrayMode))
        self.counter_layout = data.StructLayout({name: unsigned(64) for name in names})
        super().__init__(
            {
                "i_inside": In(unsigned(1)),
                "i_valid": In(unsigned(1)),
                "i_mode": In(unsigned(2)),
                "o_counters": Out(self.counter_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        counters = self.o_counters
        m.d.sync += counters.cycles.eq(counters.cycles + self.i_inside)
        for mode in ArrayMode:
            if mode != ArrayMode.CROSS or not self.params.exact:
                counter = counters[mode.name.lower()]
                m.d.sync += counter.eq(counter + (self.i_valid & (self.i_mode == mode)))
        return m
