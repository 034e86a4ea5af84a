"""Bytes to a serial line."""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.boards.uart_receiver import check_divisor

FRAME_BITS = 10  #: start bit, data, stop bit


class UartTransmitter(wiring.Component):
    """Eight data bits, the lowest first, no parity, one stop bit.

    Parameters
    ----------
    divisor : int
        Clock cycles of a bit.

    Ports
    -----
    i : In(stream.Signature(unsigned(8)))
        From FrameTransmitter: bytes to send. One is taken once the one before has been sent.
    tx : Out(unsigned(1))
        The line; high when idle.

    Timing
    ------
    The start bit begins a clock cycle after a byte is taken; the next is taken 10 * ``divisor`` + 1 after it.

    Raises
    ------
    ParameterError
        If ``divisor`` is below 4.
    """

    def __init__(self, divisor):
        check_divisor(divisor)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(unsigned(8))), "tx": Out(unsigned(1), init=1)})

    def elaborate(self, platform):
        m = Module()
        bits = Signal(FRAME_BITS, init=-1)  # the lowest is on the line
        left, timer = Signal(range(FRAME_BITS + 1)), Signal(range(self.divisor))
        m.d.comb += [self.i.ready.eq(left == 0), self.tx.eq(bits[0])]
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [bits.eq(Cat(bits[1:], 1)), left.eq(left - 1), timer.eq(self.divisor - 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                bits.eq(Cat(Const(0, 1), self.i.payload, 1)),
                left.eq(FRAME_BITS),
                timer.eq(self.divisor - 1),
            ]
        return m
