"""The SoC as LiteX builds it: VexRiscv, main memory, UART, timer, and the co-processor with its interrupt."""

import logging
import re
from pathlib import Path

from litedram.frontend.axi import LiteDRAMAXI2Native
from litedram.init import get_sdram_phy_c_header
from litedram.modules import IS42S16160
from litedram.phy.model import SDRAMPHYModel, get_sdram_phy_settings
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
MAIN_RAM, MAIN_RAM_BYTES = 0x4000_0000, 1 << 25  #: 32 MiB, as an SDRAM on a ULX3S
CLOCK = 100_000_000  #: what LiteX is told; a simulation counts clock cycles
JUMP = [0x4000_02B7, 0x0002_8067]  #: lui t0, 0x40000; jr t0, to the firmware in main memory
JUMP_BYTES = 64  #: two lines of the processor's cache
ROM_BYTES = 192 << 10  #: for a loader and the firmware: 96 block RAMs of an ECP5
SERIAL = {"source_valid": 1, "source_ready": 1, "source_data": 8, "sink_valid": 1, "sink_ready": 1, "sink_data": 8}


class SoC(SoCCore):
    """A SoC without a clock and without main memory.

    Parameters
    ----------
    platform : litex.build.generic_platform.GenericPlatform
    clock : int
        Hz.
    folder : pathlib.Path
        With ``hdp_top.v`` and ``manifest.json`` of the co-processor; None for a SoC without.
    rom : int
        Bytes of a ROM whose content is read from ``<module>_rom.init``; 0: it jumps to main memory.
    **uart
        LiteX's arguments for the serial line.

    Attributes
    ----------
    memory : AXIInterface
        The co-processor's master; None without.
    """

    def __init__(self, platform, clock, folder, rom=0, **uart):
        content = {"integrated_rom_size": rom or JUMP_BYTES, "integrated_rom_init": [0] if rom else JUMP}
        super().__init__(platform, clock, timer_uptime=True, **content, **uart)
        self.memory, self.headers = None, {}
        if folder:
            self.hdp = Hdp(platform, folder)
            self.bus.add_slave("hdp", self.hdp.bus, SoCRegion(origin=REGISTERS, size=0x1000, cached=False))
            self.irq.add("hdp")
            self.memory = self.hdp.memory

    def add_main_ram(self):
        """Memory for a simulation, whose content is read from ``soc_main_ram.init``."""
        self.main_ram = MainRam(MAIN_RAM_BYTES, self.memory)
        self.bus.add_slave("main_ram", self.main_ram.bus, SoCRegion(origin=MAIN_RAM, size=MAIN_RAM_BYTES))

    def add_memory_controller(self, phy, module):
        """LiteDRAM with a port for each side. Nothing caches in between: the co-processor reads what was written."""
        self.add_sdram("sdram", phy=phy, module=module, l2_cache_size=0)
        if self.memory:
            port = self.sdram.crossbar.get_port(data_width=self.memory.data_width)
            self.memory_bridge = LiteDRAMAXI2Native(self.memory, port, base_address=MAIN_RAM)
        header = get_sdram_phy_c_header(phy.settings, module.timing_settings, module.geom_settings)
        self.headers["sdram_phy.h"] = header

    def firmware_headers(self):
        """``{name: text}`` of LiteX's headers for firmware, of a SoC that is finalised."""
        headers = self.headers | {
            "soc.h": get_soc_header(self.constants),
            "csr.h": get_csr_header(self.csr.regions, self.constants),
            "mem.h": get_mem_header(self.bus.regions),
            "regions.ld": get_linker_regions(self.bus.regions),
        }
        return {f"generated/{name}": text for name, text in headers.items()}


class SimulatedSoC(SoC):
    """The SoC for a simulation.

    Parameters
    ----------
    folder : pathlib.Path
        As of :class:`SoC`.
    sdram : bool
        Main memory is LiteDRAM's model of an SDRAM behind its controller, and a loader in ROM copies the firmware to
        it, as on a board; else :class:`MainRam`, which has the firmware from the beginning.
    """

    def __init__(self, folder, sdram=False):
        serial = [Subsignal(name, Pins(width)) for name, width in SERIAL.items()]
        pads = [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1)), ("serial", 0, *serial)]
        platform = SimPlatform("SIM", pads, name=NAME)
        super().__init__(platform, CLOCK, folder, ROM_BYTES if sdram else 0, uart_name="sim")
        self.cd_sys = ClockDomain("sys")
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]
        if sdram:
            module = IS42S16160(CLOCK, "1:1")
            self.phy = SDRAMPHYModel(module, get_sdram_phy_settings("SDR", 16, CLOCK), clk_freq=CLOCK)
            self.add_memory_controller(self.phy, module)
        else:
            self.add_main_ram()

    def files(self):
        """``{name: text}``: Verilog of the whole, what it reads at its start, and LiteX's headers for firmware."""
        self.finalize()
        output = self.platform.get_verilog(self, name=NAME)
        sources = [Path(file).read_text(encoding="utf-8") for file, *_ in self.platform.sources]
        verilog = "".join([output.main_source, *sources])
        return {
            f"{NAME}.v": undated(verilog),
            **output.data_files,
            **self.firmware_headers(),
        }


def undated(verilog):
    """LiteX's Verilog, the same on every day."""
    return re.sub(r"^// .*(Date|LiteX).*\n", "", verilog, flags=re.M)
