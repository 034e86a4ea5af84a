"""The SoC on a ULX3S with an LFE5U-85F: its SDRAM behind LiteDRAM, the serial adapter of its first USB port."""

from amaranth_boards.ulx3s import ULX3S_85F_Platform
from litedram.modules import IS42S16160
from litedram.phy import GENSDRPHY
from litex.build.generic_platform import IOStandard, Misc, Pins, Subsignal
from litex.build.io import DDROutput
from litex.build.lattice import LatticePlatform
from litex.gen import LiteXModule
from litex.soc.cores.clock import ECP5PLL
from migen import ClockDomain, ClockSignal

from hdp_hw.soc.gateware import ROM_BYTES, SoC

CRYSTAL, CLOCK = 25_000_000, 40_000_000  #: Hz
BAUD = 1_000_000
#: ``{LiteX's name: amaranth-boards' name}`` of the SDRAM's pins.
SDRAM = {"a": "a", "ba": "ba", "dq": "dq", "dm": "dqm", "cs_n": "cs", "ras_n": "ras", "cas_n": "cas", "we_n": "we"}
SDRAM |= {"cke": "clk_en"}


class Clocks(LiteXModule):
    """The system's clock of a PLL, and the SDRAM's, a quarter of a period later, on its pin.

    The button FIRE 1 resets.
    """

    def __init__(self, platform):
        self.cd_sys, self.cd_sdram = ClockDomain("sys"), ClockDomain("sdram", reset_less=True)
        self.pll = ECP5PLL()
        self.comb += self.pll.reset.eq(platform.request("reset"))
        crystal = platform.request("clk25")
        platform.add_period_constraint(crystal, 1e9 / CRYSTAL)
        self.pll.register_clkin(crystal, CRYSTAL)
        self.pll.create_clkout(self.cd_sys, CLOCK)
        self.pll.create_clkout(self.cd_sdram, CLOCK, phase=90, with_reset=False)
        self.specials += DDROutput(1, 0, platform.request("sdram_clock"), ClockSignal("sdram"))


class Ulx3sSoC(SoC):
    """The SoC, with a ROM of ``ROM_BYTES`` for loader and firmware.

    Parameters
    ----------
    folder : pathlib.Path
        As of :class:`SoC`.
    """

    def __init__(self, folder):
        platform = LatticePlatform("LFE5U-85F-6BG381C", _pins(), toolchain="trellis")
        super().__init__(platform, CLOCK, folder, ROM_BYTES, uart_baudrate=BAUD)
        self.clocks = Clocks(platform)
        self.phy = GENSDRPHY(platform.request("sdram"), CLOCK)
        self.add_memory_controller(self.phy, IS42S16160(CLOCK, "1:1"))


def _pins():
    """What the SoC uses of the board, where amaranth-boards has it."""
    board = ULX3S_85F_Platform()

    def standard(resource):
        extra = [f"{name}={value}" for name, value in resource.attrs.items() if name != "IO_TYPE"]
        return IOStandard(resource.attrs["IO_TYPE"]), *map(Misc, extra)

    def single(name, of):
        resource = board.lookup(of, 0)
        (pins,) = (io if hasattr(io, "names") else io.ios[0] for io in resource.ios)
        return name, 0, Pins(*pins.names), *standard(resource)

    sdram, serial = board.lookup("sdram", 0), board.lookup("uart", 0)
    of_sdram, of_serial = ({each.name: Pins(*each.ios[0].names) for each in of.ios} for of in (sdram, serial))
    return [
        single("clk25", "clk25"),
        single("reset", "button_fire"),
        ("serial", 0, *(Subsignal(name, of_serial[name]) for name in ("rx", "tx")), *standard(serial)),
        ("sdram", 0, *(Subsignal(name, of_sdram[of]) for name, of in SDRAM.items()), *standard(sdram)),
        ("sdram_clock", 0, of_sdram["clk"], *standard(sdram)),
    ]
