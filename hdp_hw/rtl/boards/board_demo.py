"""The demonstration without its board: serial line, memory, co-processor."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.boards.axi_lite_manager import AxiLiteManager
from hdp_hw.rtl.boards.board_memory import BoardMemory
from hdp_hw.rtl.boards.frame_receiver import FrameReceiver
from hdp_hw.rtl.boards.frame_transmitter import FrameTransmitter
from hdp_hw.rtl.boards.host_link import HostLink
from hdp_hw.rtl.boards.uart_receiver import UartReceiver
from hdp_hw.rtl.boards.uart_transmitter import UartTransmitter
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.spec.link_protocol import MEMORY_BASE, REGISTERS_BASE

REGION_BITS = 28  #: address bits within the registers' region, and within the memory's
BLINK_CYCLES = 1 << 21  #: that ``o_busy`` stays high, for eyes


class BoardDemo(wiring.Component):
    """A host reaches the registers of hdp_top and a memory over a serial line; hdp_top reaches the memory too.

    Parameters
    ----------
    params : HdpParams
        Of the co-processor.
    divisor : int
        Clock cycles of a bit on the line.
    n_bytes : int
        Bytes of the memory.

    Ports
    -----
    rx : In(unsigned(1))
        The line from the host; high when idle.
    tx : Out(unsigned(1))
        The line.
    o_busy : Out(unsigned(1))
        The co-processor has used the memory within the last ``BLINK_CYCLES``.
    o_irq : Out(unsigned(1))
        Its interrupt.
    o_error : Out(unsigned(1))
        The latest request of the host was not carried out in full.

    Timing
    ------
    Frames and their answers as in docs/boards.md.

    Raises
    ------
    ParameterError
        As UartReceiver and BoardMemory.
    """

    def __init__(self, params, divisor, n_bytes):
        self.params = params
        self.receiver, self.transmitter = UartReceiver(divisor), UartTransmitter(divisor)
        self.memory = BoardMemory(params, n_bytes)
        super().__init__(
            {
                "rx": In(unsigned(1)),
                "tx": Out(unsigned(1), init=1),
                **{name: Out(unsigned(1)) for name in ("o_busy", "o_irq", "o_error")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver, m.submodules.transmitter = self.receiver, self.transmitter
        m.submodules.memory = self.memory
        m.submodules.frame_receiver = frame_receiver = FrameReceiver()
        m.submodules.frame_transmitter = frame_transmitter = FrameTransmitter()
        m.submodules.link = link = HostLink()
        m.submodules.manager = manager = AxiLiteManager()
        m.submodules.top = top = HdpTop(self.params)
        wiring.connect(m, link.o, frame_transmitter.i)
        wiring.connect(m, frame_transmitter.o, self.transmitter.i)
        wiring.connect(m, manager.registers, top.s_axil)
        m.d.comb += [
            self.receiver.rx.eq(self.rx),
            frame_receiver.i.eq(self.receiver.o),
            link.i.eq(frame_receiver.o),
            link.i_end.eq(frame_receiver.o_end),
            self.tx.eq(self.transmitter.tx),
            self.o_irq.eq(top.irq),
            self.o_error.eq(link.o_failed),
        ]
        self._decode(m, link.bus, {REGISTERS_BASE: manager.i, MEMORY_BASE: self.memory.host})
        self._memory_port(m, top.m_axi)
        return m

    def _decode(self, m, bus, regions):
        """Each access to the one of ``regions``, {first address: port}, that it belongs to; elsewhere is an error."""
        region, nowhere = bus.access.p.address[REGION_BITS:], Signal()
        m.d.sync += nowhere.eq(0)
        with m.Switch(region):
            for base, port in regions.items():
                with m.Case(base >> REGION_BITS):
                    m.d.comb += [port.access.valid.eq(bus.access.valid), bus.access.ready.eq(port.access.ready)]
            with m.Default():
                m.d.comb += bus.access.ready.eq(1)
                m.d.sync += nowhere.eq(bus.access.valid)
        m.d.comb += [bus.result.valid.eq(nowhere), bus.result.error.eq(nowhere)]
        for port in regions.values():
            m.d.comb += port.access.payload.eq(bus.access.payload)
            with m.If(port.result.valid):
                m.d.comb += bus.result.eq(port.result)

    def _memory_port(self, m, port):
        """The flat signals of hdp_top to the memory's streams."""
        for name, stream in (*self._channels(self.memory.read), *self._channels(self.memory.write)):
            fields = [key for key, _ in stream.p.shape()]
            outwards = name in ("ar", "aw", "w")
            for key in ("valid", *fields):
                flat, member = getattr(port, f"{name}{key}"), stream.valid if key == "valid" else stream.p[key]
                m.d.comb += member.eq(flat) if outwards else flat.eq(member)
            ready = getattr(port, f"{name}ready")
            m.d.comb += ready.eq(stream.ready) if outwards else stream.ready.eq(ready)
        blink = Signal(range(BLINK_CYCLES))
        with m.If(port.arvalid | port.awvalid):
            m.d.sync += blink.eq(BLINK_CYCLES - 1)
        with m.Else():
            m.d.sync += blink.eq(Mux(blink == 0, 0, blink - 1))
        m.d.comb += self.o_busy.eq(blink != 0)

    def _channels(self, port):
        return [(name, getattr(port, name)) for name in port.signature.members]
