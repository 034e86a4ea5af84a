"""Frames out of bytes: escapes undone, checksum checked."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.boards.uart_receiver import received_layout
from hdp_hw.spec.link_protocol import END, ESC, ESCAPES


class FrameReceiver(wiring.Component):
    """What stands between two END bytes, with ``hdp_hw.spec.link_protocol.ESCAPES`` undone, and whether it can be
    trusted.

    From any state, a single END leads to a frame's beginning. Frames without a byte are none.

    Ports
    -----
    i : In(received_layout())
        From UartReceiver: a byte of the line, or an error in its place.
    o : Out(data.StructLayout({"valid": unsigned(1), "data": unsigned(8)}))
        The bytes of a frame, its checksum among them: the last four.
    o_end : Out(data.StructLayout({"valid": unsigned(1), "good": unsigned(1)}))
        The frame is over. ``good``: its checksum fits, and no byte had an error or was no escape.

    Timing
    ------
    A byte a clock cycle; outputs belong to the input of the same clock cycle.

    Numerics
    --------
    Golden twin ``hdp_hw.driver.frames.FrameDecoder``.
    """

    def __init__(self):
        super().__init__(
            {
                "i": In(received_layout()),
                "o": Out(data.StructLayout({"valid": unsigned(1), "data": unsigned(8)})),
                "o_end": Out(data.StructLayout({"valid": unsigned(1), "good": unsigned(1)})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ETHERNET(8).create()
        begun, escaped, broken = Signal(), Signal(), Signal()
        m.d.comb += [self.o.data.eq(self.i.data), crc.data.eq(self.o.data), crc.valid.eq(self.o.valid)]
        with m.If(self.i.valid):
            with m.If(self.i.error):
                m.d.sync += broken.eq(1)
            with m.Elif(self.i.data == END):
                m.d.sync += [begun.eq(0), escaped.eq(0), broken.eq(0)]
                m.d.comb += [
                    crc.start.eq(1),
                    self.o_end.valid.eq(begun | escaped | broken),
                    self.o_end.good.eq(crc.match_detected & ~escaped & ~broken),
                ]
            with m.Elif((self.i.data == ESC) & ~escaped):
                m.d.sync += escaped.eq(1)
            with m.Else():
                m.d.comb += self.o.valid.eq(1)
                m.d.sync += [begun.eq(1), escaped.eq(0)]
                with m.If(escaped):
                    m.d.comb += self.o.data.eq(Mux(self.i.data == ESCAPES[END], END, ESC))
                    with m.If((self.i.data != ESCAPES[END]) & (self.i.data != ESCAPES[ESC])):
                        m.d.sync += broken.eq(1)
        return m
