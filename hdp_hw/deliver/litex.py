"""LiteX module around a generated hdp_top. Needs LiteX, and nothing else of this project but a folder that
``hdp-hw generate`` wrote."""

import json
from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.interconnect import axi
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import ClockSignal, Instance, ResetSignal, Signal
from migen.genlib.fifo import SyncFIFO

CHANNELS = ("aw", "w", "b", "ar", "r")
ID_WIDTH = 1  #: of LiteX's interconnect, whatever its masters ask for
MAX_BURSTS = 64  #: of each kind that wait for their response; LiteX counts them up to 255


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
        The registers, 4 KiB: ``soc.bus.add_slave``. What is no register reads as 0, without an error.
    memory : AXIInterface
        Master: ``soc.dma_bus.add_master``, or ``soc.bus.add_master`` where there is no such bus. All its bursts have
        ID 0 (:class:`IdQueue`). LiteX's addresses have 32 bits; higher ones that a job asks for are cut off.
    ev : EventManager
        With the level ``job``, the interrupt: ``soc.irq.add``.
    """

    def __init__(self, platform, folder):
        ports = json.loads(Path(folder, "manifest.json").read_text(encoding="utf-8"))["ports"]["hdp_top"]
        widths = {name: width for name, _, width in ports}
        data_width, id_width = widths["m_axi_rdata"], widths["m_axi_rid"]
        self.bus = axi.AXILiteInterface(data_width=32, address_width=32)
        master = axi.AXIInterface(data_width=data_width, address_width=32, id_width=id_width)
        self.memory = axi.AXIInterface(data_width=data_width, address_width=32, id_width=ID_WIDTH, name="hdp")
        self.comb += master.w.connect(self.memory.w)
        self.read_ids = IdQueue(master.ar, self.memory.ar, self.memory.r, master.r)
        self.write_ids = IdQueue(master.aw, self.memory.aw, self.memory.b, master.b)
        self.ev = EventManager()
        self.ev.job = EventSourceLevel(description="A job ended, or an error: IRQ_STATUS says which.")
        self.ev.finalize()

        wires = {"aclk": ClockSignal(), "aresetn": ~ResetSignal(), "irq": self.ev.job.trigger}
        wires |= channel_wires("s_axil", self.bus) | channel_wires("m_axi", master)
        # LiteX's converter to a wider bus takes a ready without a valid for an answer, and then waits for ever; and it
        # reads all words of the wider one, of which some may be no register.
        for name in ("aw", "w", "ar"):
            channel, ready = getattr(self.bus, name), Signal()
            self.comb += channel.ready.eq(ready & channel.valid)
            wires[f"s_axil_{name}ready"] = ready
        wires["s_axil_rresp"] = Signal(2)
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


class IdQueue(LiteXModule):
    """Takes the IDs off bursts of one kind, and gives them back to their responses.

    ``hdp_top`` tells its readers and its jobs apart by the IDs of their bursts, four bits or more. LiteX 2024.12 has
    one bit in its interconnect, and loses the rest. So every burst leaves with ID 0, and its own ID enters a queue. AXI
    answers bursts of one ID in the order of their requests and never mixes their beats, hence a response belongs to the
    oldest burst that waits, whose ID leaves the queue with its last beat. It is there in time: AXI allows no path
    within a clock cycle from a request to its response.

    A full queue holds back requests. It fills only when it takes one, so a request on offer stays until it is accepted.

    Parameters
    ----------
    request_from, request_to : AXIStreamInterface
        aw or ar, from the master and to the bus.
    response_from, response_to : AXIStreamInterface
        b or r, from the bus and to the master.
    """

    def __init__(self, request_from, request_to, response_from, response_to):
        self.queue = queue = SyncFIFO(len(request_from.id), MAX_BURSTS)
        ends = response_from.valid & response_from.ready
        if "data" in [name for name, *_ in response_from.description.payload_layout]:  # b has one beat
            ends &= response_from.last
        self.comb += [
            request_from.connect(request_to, omit={"valid", "ready", "id"}),
            request_to.valid.eq(request_from.valid & queue.writable),
            request_from.ready.eq(request_to.ready & queue.writable),
            queue.we.eq(request_to.valid & request_to.ready),
            queue.din.eq(request_from.id),
            response_from.connect(response_to, omit={"id"}),
            response_to.id.eq(queue.dout),
            queue.re.eq(ends),
        ]


def channel_wires(prefix, interface):
    """``{port: signal}`` of an AXI interface of LiteX, by the port names of hdp_top."""
    wires = {}
    for name in CHANNELS:
        channel = getattr(interface, name)
        description = channel.description
        fields = [field for field, *_ in description.payload_layout + description.param_layout]
        wires |= {f"{prefix}_{name}{field}": getattr(channel, field) for field in ("valid", "ready", "last", *fields)}
    return wires
