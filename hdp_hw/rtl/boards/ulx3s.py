"""ULX3S with an LFE5U-85F, whose serial adapter is on the board's first USB port."""

from amaranth.hdl import ClockSignal
from amaranth.lib import io

from hdp_hw.rtl.boards.board_top import BoardTop


class Ulx3s(BoardTop):
    """BoardTop at 25 MHz, the crystal's. LEDs 0 to 2 are busy, interrupt and error; the button FIRE 1 resets."""

    open_tools = True
    clock_hz = 25_000_000
    n_bytes = 1 << 17  # 64 of 208 block RAMs

    @staticmethod
    def platform():
        """The board of amaranth-boards."""
        from amaranth_boards.ulx3s import ULX3S_85F_Platform

        return ULX3S_85F_Platform()

    def clock(self, m, platform):
        """See :class:`BoardTop`."""
        m.submodules.crystal = crystal = io.Buffer("i", platform.request("clk25", dir="-"))
        m.submodules.button = button = io.Buffer("i", platform.request("button_fire", 0, dir="-"))
        m.d.comb += ClockSignal().eq(crystal.i)
        return button.i
