"""The SoC as LiteX builds it: VexRiscv, main memory, UART, timer, and the co-processor with its interrupt."""

import logging
import re
from pathlib import Path

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.export import get_csr_header, get_linker_regions, get_mem_header, get_soc_header
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain

from hdp_hw.deliver.litex import Hdp
from hdp_hw.soc.main_ram import MainRam

logging.basicConfig(level=logging.WARNING)  # before LiteX does, which then tells all that it does
NAME = "soc"  #: of the module
REGISTERS = 0x9000_0000  #: of the co-processor, where the processor caches nothing
MAIN_RAM, MAIN_RAM_BYTES = 0x4000_0000, 1 << 22
CLOCK = 100_000_000  #: what LiteX is told; a simulation counts clock cycles
ROM_BYTES = 64  #: two lines of the processor's cache
JUMP = [0x4000_02B7, 0x0002_8067]  #: its content: lui t0, 0x40000; jr t0, to the firmware in main memory
SERIAL = {"source_valid": 1, "source_ready": 1, "source_data": 8, "sink_valid": 1, "sink_ready": 1, "sink_data": 8}


class SimulatedSoC(SoCCore):
    """The SoC for a simulation. Main memory has no content of its own: it is read from ``soc_main_ram.init``.

    Parameters
    ----------
    folder : pathlib.Path
        With ``hdp_top.v`` and ``manifest.json`` of the co-processor; None for a SoC without.
    """

    def __init__(self, folder):
        serial = [Subsignal(name, Pins(width)) for name, width in SERIAL.items()]
        pads = [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1)), ("serial", 0, *serial)]
        platform = SimPlatform("SIM", pads, name=NAME)
        rom = {"integrated_rom_size": ROM_BYTES, "integrated_rom_init": JUMP}
        super().__init__(platform, CLOCK, uart_name="sim", timer_uptime=True, **rom)
        self.cd_sys = ClockDomain("sys")
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]
        if folder:
            self.hdp = Hdp(platform, folder)
            self.bus.add_slave("hdp", self.hdp.bus, SoCRegion(origin=REGISTERS, size=0x1000, cached=False))
            self.irq.add("hdp")
        self.main_ram = MainRam(MAIN_RAM_BYTES, self.hdp.memory if folder else None)
        self.bus.add_slave("main_ram", self.main_ram.bus, SoCRegion(origin=MAIN_RAM, size=MAIN_RAM_BYTES))

    def files(self):
        """``{name: text}``: Verilog of the whole, what it reads at its start, and LiteX's headers for firmware."""
        self.finalize()
        output, regions = self.platform.get_verilog(self, name=NAME), self.bus.regions
        sources = [Path(file).read_text(encoding="utf-8") for file, *_ in self.platform.sources]
        verilog = "".join([output.main_source, *sources])
        headers = {
            "soc.h": get_soc_header(self.constants),
            "csr.h": get_csr_header(self.csr.regions, self.constants),
            "mem.h": get_mem_header(regions),
            "regions.ld": get_linker_regions(regions),
        }
        return {
            f"{NAME}.v": re.sub(r"^// .*(Date|LiteX).*\n", "", verilog, flags=re.M),  # the same on every day
            **output.data_files,
            **{f"generated/{name}": text for name, text in headers.items()},
        }
