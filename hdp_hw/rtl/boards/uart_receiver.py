"""Bytes from a serial line."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import cdc, data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.params import ParameterError

MIN_DIVISOR = 4  #: clock cycles of a bit


def check_divisor(divisor):
    """Raise ParameterError unless a bit can be ``divisor`` clock cycles long."""
    if divisor < MIN_DIVISOR:
        raise ParameterError("divisor", divisor, f"at least {MIN_DIVISOR}")


def received_layout():
    """A byte that came; ``error``: it is not to be trusted."""
    return data.StructLayout({"valid": unsigned(1), "data": unsigned(8), "error": unsigned(1)})


class UartReceiver(wiring.Component):
    """Eight data bits, the lowest first, no parity, one stop bit. Each is looked at once, in its middle.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Ports
    -----
    rx : In(unsigned(1))
        The line, of any clock; high when idle.
    o : Out(received_layout())
        Taken whenever it is ``valid``, for one clock cycle. ``error``: the stop bit is low. A start bit that is over
        in its middle is no start; after a stop bit that is low the line must become high before the next start.

    Timing
    ------
    ``valid`` comes in the middle of the stop bit, and three clock cycles later.

    Raises
    ------
    ParameterError
        If ``divisor`` is below 4.
    """

    def __init__(self, divisor):
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({"rx": In(unsigned(1)), "o": Out(received_layout())})

    def elaborate(self, platform):
        m = Module()
        level, before = Signal(init=1), Signal(init=1)
        m.submodules.synchronizer = cdc.FFSynchronizer(self.rx, level, init=1)
        m.d.sync += before.eq(level)

        left = Signal(range(11))  # bits that have not been looked at; 0 is idle
        timer = Signal(range(self.divisor))
        m.d.sync += self.o.valid.eq(0)
        with m.If(left == 0):
            m.d.sync += timer.eq(self.divisor // 2 - 1)
            with m.If(before & ~level):
                m.d.sync += left.eq(10)
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [timer.eq(self.divisor - 1), left.eq(left - 1)]
            with m.If((left == 10) & level):
                m.d.sync += left.eq(0)
            with m.Elif(left == 1):
                m.d.sync += [self.o.valid.eq(1), self.o.error.eq(~level)]
            with m.Elif(left != 10):
                m.d.sync += self.o.data.eq(self.o.data >> 1 | level << 7)
        return m
