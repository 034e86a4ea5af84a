"""LiteX module around a generated hdp_top. Needs LiteX, and nothing else of this project but a folder that
``hdp-hw generate`` wrote."""

import json
from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.interconnect import axi
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import ClockSignal, Instance, ResetSignal, Signal

CHANNELS = ("aw", "w", "b", "ar", "r")


class Hdp(LiteXModule):
    """The co-processor of ``folder``, such as ``build/edge``.

    Parameters
    ----------
    platform : litex.build.generic_platform.GenericPlatform
        Gets the Verilog; None adds none.
    folder : str or pathlib.Path
        With ``hdp_top.v`` and ``manifest.json``.

    Attributes
    ----------
    bus : AXILiteInterface
        The registers, 4 KiB: ``soc.bus.add_slave``.
    memory : AXIInterface
        Master: ``soc.dma_bus.add_master``, or ``soc.bus.add_master`` where there is no such bus. LiteX's addresses have
        32 bits; higher ones that a job asks for are cut off.
    ev : EventManager
        With the level ``job``, the interrupt: ``soc.irq.add``.
    """

    def __init__(self, platform, folder):
        ports = json.loads(Path(folder, "manifest.json").read_text())["ports"]["hdp_top"]
        widths = {name: width for name, _, width in ports}
        self.bus = axi.AXILiteInterface(data_width=32, address_width=32)
        self.memory = axi.AXIInterface(
            data_width=widths["m_axi_rdata"], address_width=32, id_width=widths["m_axi_rid"], name="hdp"
        )
        self.ev = EventManager()
        self.ev.job = EventSourceLevel(description="A job ended, or an error: IRQ_STATUS says which.")
        self.ev.finalize()

        wires = {"aclk": ClockSignal(), "aresetn": ~ResetSignal(), "irq": self.ev.job.trigger}
        wires |= channel_wires("s_axil", self.bus) | channel_wires("m_axi", self.memory)
        connections = {}
        for name, direction, width in ports:
            port = wires[name]
            if name not in ("aclk", "aresetn") and len(port) != width:  # addresses
                wire = Signal(width)
                self.comb += port.eq(wire) if direction == "output" else wire.eq(port)
                port = wire
            connections[f"{direction[0]}_{name}"] = port
        self.specials += Instance("hdp_top", **connections)
        if platform is not None:
            platform.add_source(str(Path(folder, "hdp_top.v").resolve()))


def channel_wires(prefix, interface):
    """``{port: signal}`` of an AXI interface of LiteX, by the port names of hdp_top."""
    wires = {}
    for name in CHANNELS:
        channel = getattr(interface, name)
        description = channel.description
        fields = [field for field, *_ in description.payload_layout + description.param_layout]
        wires |= {f"{prefix}_{name}{field}": getattr(channel, field) for field in ("valid", "ready", "last", *fields)}
    return wires
