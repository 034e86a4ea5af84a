"""What all boards have in common: BoardDemo's Verilog between a platform's clock, serial line and LEDs."""

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, ResetSignal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from hdp_hw.rtl.boards.board_demo import BoardDemo
from hdp_hw.rtl.verilog import to_verilog
from hdp_hw.spec.params import ParameterError

BAUD_ERROR = 0.02  #: largest deviation of the line's bit rate


class BoardTop(Elaboratable):
    """The demonstration on a board. A subclass has ``clock_hz``, ``n_bytes`` of memory, ``platform``, and the clock.

    ``open_tools``: yosys and nextpnr can make its bitstream.

    Parameters
    ----------
    params : HdpParams
        Of the co-processor.
    baud : int
        Bits per second of the serial line.

    Raises
    ------
    ParameterError
        If no whole number of clock cycles comes near such a bit.
    """

    def __init__(self, params, baud):
        divisor = round(self.clock_hz / baud)
        if not divisor or abs(self.clock_hz / divisor / baud - 1) > BAUD_ERROR:
            legal = f"within {BAUD_ERROR:.0%} of {self.clock_hz} divided by a whole number"
            raise ParameterError("baud", baud, legal)
        self.demo = BoardDemo(params, divisor, self.n_bytes)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.submodules.reset = ResetSynchronizer(self.clock(m, platform), domain="sync")
        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        lights = {}
        for index, name in enumerate(("o_busy", "o_irq", "o_error")):
            m.submodules[name] = led = io.Buffer("o", platform.request("led", index, dir="-"))
            lights[f"o_{name}"] = led.o
        platform.add_file("board_demo.v", to_verilog(self.demo, "board_demo"))
        m.submodules.demo = Instance(
            "board_demo",
            i_aclk=ClockSignal(),
            i_aresetn=~ResetSignal(),
            i_rx=rx.i,
            o_tx=tx.o,
            **lights,
        )
        return m

    def clock(self, m, platform):
        """Drive the clock of the domain ``sync`` with ``clock_hz``; returns a reset for as long as it is not there."""
        raise NotImplementedError
