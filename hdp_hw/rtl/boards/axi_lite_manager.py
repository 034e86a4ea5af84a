"""Accesses to words as AXI4-Lite transactions."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hdp_hw.rtl.boards.host_link import access_port
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.axi_lite import ADDRESS_WIDTH
from hdp_hw.rtl.shell.hdp_top import register_port


class AxiLiteManager(wiring.Component):
    """One access after another to the registers of hdp_top; addresses beyond their 4 KiB are an error.

    Ports
    -----
    i : In(access_port())
        From HostLink: accesses, one after another.
    registers : In(register_port())
        To hdp_top: its AXI4-Lite port, whose manager this is.

    Timing
    ------
    Address and data of a write are offered in the clock cycle after an access is taken, the result comes with the
    response, and the next access is taken one clock cycle later. An address that is none is answered at once. All
    outputs but the result come from registers.
    """

    def __init__(self):
        super().__init__({"i": In(access_port()), "registers": In(register_port())})

    def elaborate(self, platform):
        m = Module()
        access, result, port = self.i.access, self.i.result, self.registers
        busy, nowhere = Signal(), Signal()
        outside = access.p.address[ADDRESS_WIDTH:].any()
        m.d.comb += [
            access.ready.eq(~busy & ~nowhere),
            port.wstrb.eq(-1),
            port.bready.eq(1),
            port.rready.eq(1),
            result.valid.eq(nowhere | (busy & (port.bvalid | port.rvalid))),
            result.data.eq(port.rdata),
            result.error.eq(
                nowhere | (port.bvalid & (port.bresp != Response.OKAY)) | (port.rvalid & (port.rresp != Response.OKAY))
            ),
        ]
        for channel in ("aw", "w", "ar"):
            with m.If(getattr(port, f"{channel}ready")):
                m.d.sync += getattr(port, f"{channel}valid").eq(0)
        m.d.sync += nowhere.eq(0)
        with m.If(result.valid):
            m.d.sync += busy.eq(0)
        with m.If(access.valid & access.ready):
            m.d.sync += [
                nowhere.eq(outside),
                busy.eq(~outside),
                port.awvalid.eq(access.p.write & ~outside),
                port.wvalid.eq(access.p.write & ~outside),
                port.arvalid.eq(~access.p.write & ~outside),
                port.awaddr.eq(access.p.address),
                port.araddr.eq(access.p.address),
                port.wdata.eq(access.p.data),
            ]
        return m
