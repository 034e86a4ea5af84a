"""Arty A7 with an XC7A100T. Its constraints and its script for Vivado are generated; Vivado has not run them."""

from amaranth.hdl import ClockSignal, Instance, Signal
from amaranth.lib import io

from hdp_hw.rtl.boards.board_top import BoardTop

CRYSTAL_HZ = 100_000_000
VCO_MULTIPLIER = 8  #: the oscillator runs at 800 MHz, of 800 to 1600


class ArtyA7(BoardTop):
    """BoardTop at 50 MHz. LEDs 0 to 2 (LD4 to LD6) are busy, interrupt and error; the button RESET resets."""

    open_tools = False
    clock_hz = 50_000_000
    n_bytes = 1 << 17  # 32 of 135 block RAMs

    @staticmethod
    def platform():
        """The board of amaranth-boards."""
        from amaranth_boards.arty_a7 import ArtyA7_100Platform

        return ArtyA7_100Platform()

    def clock(self, m, platform):
        """See :class:`BoardTop`."""
        locked, feedback, divided = Signal(), Signal(), Signal()
        m.submodules.crystal = crystal = io.Buffer("i", platform.request("clk100", dir="-"))
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=1e9 / CRYSTAL_HZ,
            p_CLKFBOUT_MULT=VCO_MULTIPLIER,
            p_CLKOUT0_DIVIDE=VCO_MULTIPLIER * CRYSTAL_HZ // self.clock_hz,
            i_CLKIN1=crystal.i,
            i_CLKFBIN=feedback,
            i_PWRDWN=0,
            i_RST=0,
            o_CLKFBOUT=feedback,
            o_CLKOUT0=divided,
            o_LOCKED=locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=divided, o_O=ClockSignal())
        m.submodules.button = button = io.Buffer("i", platform.request("rst", dir="-"))
        return ~locked | button.i
