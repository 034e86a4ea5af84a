"""UartReceiver against a line: bytes, clocks that are a little off, glitches, stop bits that are low."""

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.boards.uart_receiver import UartReceiver
from hdp_hw.spec.params import ParameterError
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate

DIVISOR = int(os.environ.get("HDP_DIVISOR", "4"))


class Line:
    """Drives ``rx``; ``received`` are the bytes of ``o``, with their errors and clock cycles."""

    def __init__(self, dut):
        self.dut, self.received, self.cycle, self.debt = dut, [], 0, 0.0

    async def hold(self, level, cycles):
        """Keep the line at a level for clock cycles, fractions of which are made good later."""
        self.debt += cycles
        self.dut.rx.value = level
        while self.debt >= 0.5:
            self.debt -= 1
            await RisingEdge(self.dut.aclk)
            self.cycle += 1
            if read(self.dut.o_valid, "o_valid"):
                self.received.append((read(self.dut.o_data, "o_data"), read(self.dut.o_error, "o_error"), self.cycle))

    async def send(self, byte, period=DIVISOR, stop=1):
        for bit in (0, *(byte >> place & 1 for place in range(8)), stop):
            await self.hold(bit, period)


async def idle_line(dut):
    """A Line after the reset, during which it was low."""
    await start(dut)
    line = Line(dut)
    await line.hold(1, 20 * DIVISOR)
    line.received.clear()
    return line


@cocotb.test()
async def bytes_in_a_row(dut):
    """At the nominal rate and, where a bit is long enough, 3 % beside it, with pauses or without."""
    rng, line = random.Random(cocotb.RANDOM_SEED), await idle_line(dut)
    sent = []
    for off in (0, 0.03, -0.03) if DIVISOR >= 16 else (0,):
        for byte in (0, 255, 0x55, *(rng.randrange(256) for _ in range(60))):
            begin = line.cycle
            await line.send(byte, DIVISOR * (1 + off))
            sent.append((byte, begin))
            await line.hold(1, rng.choice([0, 0, 0, rng.randrange(3 * DIVISOR)]))
    await line.hold(1, 2 * DIVISOR)
    assert [(byte, 0) for byte, _ in sent] == [(byte, error) for byte, error, _ in line.received]
    late = [cycle - begin for (_, begin), (_, _, cycle) in zip(sent[:60], line.received)]
    assert set(late) <= {9 * DIVISOR + DIVISOR // 2 + 4, 9 * DIVISOR + DIVISOR // 2 + 3}, late


@cocotb.test()
async def faults(dut):
    """A glitch is no byte; a low stop bit is an error, after which a byte comes only once the line has been high."""
    line = await idle_line(dut)
    await line.hold(0, DIVISOR // 2 - 1)
    await line.hold(1, 20 * DIVISOR)
    assert not line.received
    await line.send(0x3C, stop=0)
    await line.hold(0, 30 * DIVISOR)
    await line.hold(1, DIVISOR)
    await line.send(0xA5)
    await line.hold(1, 2 * DIVISOR)
    assert [(byte, error) for byte, error, _ in line.received] == [(0x3C, 1), (0xA5, 0)]


@pytest.mark.parametrize("divisor", [4, 17])
def test_uart_receiver(simulator, divisor):
    name = f"uart_receiver_{divisor}"
    simulate(UartReceiver(divisor), __name__, simulator, name=name, plusenv={"HDP_DIVISOR": str(divisor)})


def test_refuses():
    with pytest.raises(ParameterError, match="divisor = 3 is not legal; legal: at least 4"):
        UartReceiver(3)
