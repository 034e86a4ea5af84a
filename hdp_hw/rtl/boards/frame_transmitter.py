"""Bytes out of frames: checksum added, escapes made."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.link_protocol import CRC_BYTES, END, ESC, ESCAPES


def frame_layout():
    """A byte of a frame."""
    return data.StructLayout({"data": unsigned(8), "last": unsigned(1)})


class FrameTransmitter(wiring.Component):
    """A frame as :class:`hdp_hw.rtl.boards.frame_receiver.FrameReceiver` takes it, an END byte first.

    Ports
    -----
    i : In(stream.Signature(frame_layout()))
        The bytes, without checksum.
    o : Out(stream.Signature(unsigned(8)))
        To UartTransmitter: bytes of the line.

    Timing
    ------
    A byte a clock cycle. ``o`` depends on ``i`` in the same clock cycle, and ``i.ready`` on ``o.ready``.

    Numerics
    --------
    Golden twin ``hdp_hw.driver.frames.encode_frame``.
    """

    def __init__(self):
        super().__init__({"i": In(stream.Signature(frame_layout())), "o": Out(stream.Signature(unsigned(8)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.crc = crc = catalog.CRC32_ETHERNET(8).create()
        byte, present, taken = Signal(8), Signal(), Signal()  # of the frame or its checksum
        escaping, special = Signal(), Signal()  # ESC has gone out; it must
        place = Signal(range(CRC_BYTES))
        m.d.comb += [
            special.eq((byte == END) | (byte == ESC)),
            taken.eq(present & self.o.ready & (escaping | ~special)),
            self.o.valid.eq(present),
            self.o.payload.eq(Mux(escaping, Mux(byte == END, ESCAPES[END], ESCAPES[ESC]), Mux(special, ESC, byte))),
            crc.data.eq(self.i.payload.data),
        ]
        with m.If(present & self.o.ready):
            m.d.sync += escaping.eq(special & ~escaping)
        with m.FSM():
            with m.State("BEGIN"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.eq(END), crc.start.eq(1)]
                with m.If(self.i.valid & self.o.ready):
                    m.next = "CONTENT"
            with m.State("CONTENT"):
                m.d.comb += [
                    present.eq(self.i.valid),
                    byte.eq(self.i.payload.data),
                    self.i.ready.eq(taken),
                    crc.valid.eq(taken),
                ]
                with m.If(taken & self.i.payload.last):
                    m.next = "CHECKSUM"
            with m.State("CHECKSUM"):
                m.d.comb += [present.eq(1), byte.eq(crc.crc.word_select(place, 8))]
                with m.If(taken):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == CRC_BYTES - 1):
                        m.next = "END"
            with m.State("END"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(END)]
                with m.If(self.o.ready):
                    m.next = "BEGIN"
        return m
