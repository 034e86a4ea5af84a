"""ULX3S with an LFE5U-85F, whose serial adapter is on the board's first USB port."""

from amaranth.hdl import ClockSignal, Instance, Signal
from amaranth.lib import io

from hdp_hw.boards.board_top import BoardTop

CRYSTAL_HZ = 25_000_000
VCO_DIVIDER = 12  #: the oscillator runs at 600 MHz, of 400 to 800


class Ulx3s(BoardTop):
    """BoardTop at 50 MHz. LEDs 0 to 2 are busy, interrupt and error; the button FIRE 1 resets."""

    open_tools = True
    clock_hz = 50_000_000
    n_bytes = 1 << 17  # 64 of 208 block RAMs

    @staticmethod
    def platform():
        """The board of amaranth-boards."""
        from amaranth_boards.ulx3s import ULX3S_85F_Platform

        return ULX3S_85F_Platform()

    def clock(self, m, platform):
        """See :class:`BoardTop`."""
        locked = Signal()
        m.submodules.crystal = crystal = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=1,
            p_CLKFB_DIV=self.clock_hz // CRYSTAL_HZ,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=VCO_DIVIDER,
            p_CLKOP_CPHASE=VCO_DIVIDER - 1,
            a_FREQUENCY_PIN_CLKI=str(CRYSTAL_HZ / 1e6),
            a_FREQUENCY_PIN_CLKOP=str(self.clock_hz / 1e6),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            i_CLKI=crystal.i,
            i_CLKFB=ClockSignal(),
            i_RST=0,
            i_STDBY=0,
            o_CLKOP=ClockSignal(),
            o_LOCK=locked,
        )
        m.submodules.button = button = io.Buffer("i", platform.request("button_fire", 0, dir="-"))
        return ~locked | button.i
