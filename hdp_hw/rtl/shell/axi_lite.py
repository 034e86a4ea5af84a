"""AXI4-Lite to the register bank."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.axi import Response

ADDRESS_WIDTH = 12  #: bits of a byte address: the 4 KiB that interconnects give a peripheral at least
WORD_ADDRESS_WIDTH = ADDRESS_WIDTH - 2


def register_port():
    """Signature between a bus and a register bank.

    ``write`` and ``read`` are strobes. The bank answers each in the next clock cycle, and only then: ``write_error``
    says that it refused the write, ``read_error`` that there was nothing to read.
    """
    return wiring.Signature(
        {
            "write": Out(unsigned(1)),
            "write_address": Out(unsigned(WORD_ADDRESS_WIDTH)),
            "write_data": Out(unsigned(32)),
            "write_strobe": Out(unsigned(4)),
            "write_error": In(unsigned(1)),
            "read": Out(unsigned(1)),
            "read_address": Out(unsigned(WORD_ADDRESS_WIDTH)),
            "read_data": In(unsigned(32)),
            "read_error": In(unsigned(1)),
        }
    )


class AxiLite(wiring.Component):
    """AXI4-Lite subordinate in front of a register bank: one write and one read at a time.

    Address and data of a write come in either order. What the bank refuses is answered with SLVERR, all else with
    OKAY. The two lowest address bits are ignored, as ``prot`` is.

    Ports
    -----
    aw : In(stream.Signature(self.address_layout))
        ``addr`` in bytes, ``prot``.
    w : In(stream.Signature(self.write_layout))
        ``data``, ``strb``.
    b : Out(stream.Signature(self.response_layout))
        ``resp``.
    ar : In(stream.Signature(self.address_layout))
        ``addr`` in bytes, ``prot``.
    r : Out(stream.Signature(self.read_layout))
        ``data``, ``resp``.
    registers : Out(register_port())
        To RegisterBank: at most one write and one read in a clock cycle, each answered in the next.

    Timing
    ------
    ``write`` comes 1 clock cycle after the later one of ``aw`` and ``w`` was taken, ``read`` 1 after ``ar``, ``b`` and
    ``r`` ``latency`` = 3; all of them later while a response of their kind was not taken. One more request of each
    kind is taken meanwhile. All outputs but ``registers`` come from registers: no ready or valid depends on another
    in the same clock cycle.
    """

    latency = 3

    def __init__(self):
        self.address_layout = data.StructLayout({"addr": unsigned(ADDRESS_WIDTH), "prot": unsigned(3)})
        self.write_layout = data.StructLayout({"data": unsigned(32), "strb": unsigned(4)})
        self.response_layout = data.StructLayout({"resp": unsigned(2)})
        self.read_layout = data.StructLayout({"data": unsigned(32), "resp": unsigned(2)})
        super().__init__(
            {
                "aw": In(stream.Signature(self.address_layout)),
                "w": In(stream.Signature(self.write_layout)),
                "b": Out(stream.Signature(self.response_layout)),
                "ar": In(stream.Signature(self.address_layout)),
                "r": Out(stream.Signature(self.read_layout)),
                "registers": Out(register_port()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port = self.registers
        address, write_data = self._hold(m, self.aw, "aw", port.write), self._hold(m, self.w, "w", port.write)
        read_address = self._hold(m, self.ar, "ar", port.read)
        m.d.comb += [
            port.write_address.eq(address.addr >> 2),
            port.write_data.eq(write_data.data),
            port.write_strobe.eq(write_data.strb),
            port.read_address.eq(read_address.addr >> 2),
        ]
        # Answers of the bank, a clock cycle after its strobe.
        for requests, strobe, error, response in (
            ((self.aw, self.w), port.write, port.write_error, self.b),
            ((self.ar,), port.read, port.read_error, self.r),
        ):
            answers = Signal(name=f"{response.valid.name}_next")
            held = [~request.ready for request in requests]
            m.d.comb += strobe.eq(held[0] & held[-1] & ~answers & ~response.valid)
            m.d.sync += answers.eq(strobe)
            with m.If(response.ready):
                m.d.sync += response.valid.eq(0)
            with m.If(answers):
                m.d.sync += [
                    response.valid.eq(1),
                    response.payload.resp.eq(Mux(error, Response.SLVERR, Response.OKAY)),
                ]
        with m.If(~self.r.valid):
            m.d.sync += self.r.payload.data.eq(port.read_data)
        return m

    def _hold(self, m, request, name, done):
        """A register for a request, free again after ``done``; returns its payload."""
        payload = Signal(request.payload.shape(), name=f"held_{name}")
        held = Signal(name=f"{name}_held")
        m.d.comb += request.ready.eq(~held)
        with m.If(request.valid & request.ready):
            m.d.sync += [held.eq(1), payload.eq(request.payload)]
        with m.If(done):
            m.d.sync += held.eq(0)
        return payload
