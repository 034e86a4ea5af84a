"""BoardDemo through the pins of its serial line; tb/system/test_board.py runs layers on it."""

import random

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.driver.frames import FrameDecoder, encode_frame, encode_request
from hdp_hw.rtl.boards import board_demo
from hdp_hw.rtl.boards.board_demo import BoardDemo
from hdp_hw.spec.link_protocol import MEMORY_BASE, Command, Status
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.lockstep import read, start
from tb.lib.simulation import simulate
from tb.unit.block_bench import PARAMS

DIVISOR, SIZE = 4, 4096
ADDRESS = {name: BY_NAME[name].address for name in ("ID", "CONTROL", "IRQ_STATUS", "IRQ_ENABLE")}


class Host:
    """The other end of the line."""

    def __init__(self, dut):
        self.dut, self.sequence, self.decoder = dut, 0, FrameDecoder()
        self.line = []  # levels that are to be driven

    async def cycle(self):
        self.dut.rx.value = self.line.pop(0) if self.line else 1
        await RisingEdge(self.dut.aclk)
        return read(self.dut.tx, "tx")

    def send(self, content):
        for byte in content:
            bits = (0, *(byte >> place & 1 for place in range(8)), 1)
            self.line += [bit for bit in bits for _ in range(DIVISOR)]

    async def receive(self):
        """A byte."""
        for _ in range(20_000):
            if not await self.cycle():
                break
        else:
            raise AssertionError("no answer")
        byte = 0
        for cycle in range(1, 10 * DIVISOR - 1):
            level = await self.cycle()
            if cycle % DIVISOR == DIVISOR // 2 and cycle < 9 * DIVISOR:
                byte = byte >> 1 | level << 7
        assert level, "no stop bit"
        return byte

    async def ask(self, command, n_words, address, *words):
        """``(status, words)`` of the answer."""
        self.sequence += 1
        content = b"".join(word.to_bytes(4, "little") for word in words)
        self.send(encode_frame(encode_request(self.sequence, command, n_words, address, content)))
        return await self.answer()

    async def answer(self):
        while True:
            if frames := self.decoder.feed([await self.receive()]):
                sequence, status, _, _, *content = frames[0]
                assert sequence == (0 if status == Status.BAD_FRAME else self.sequence)
                words = [int.from_bytes(content[i : i + 4], "little") for i in range(0, len(content), 4)]
                return status, words


@cocotb.test()
async def requests(dut):
    """Registers, memory, and what is neither; garbage in between; a job that is refused, with its interrupt."""
    await start(dut)
    host, rng = Host(dut), random.Random(cocotb.RANDOM_SEED)
    for _ in range(20 * DIVISOR):
        await host.cycle()
    host.send(b"\xc0")  # the line was low in the reset: that was a byte with an error
    assert await host.answer() == (Status.BAD_FRAME, [])
    assert read(dut.o_error, "o_error")
    assert await host.ask(Command.READ, 1, ADDRESS["ID"]) == (Status.OK, [BY_NAME["ID"].reset])
    assert not read(dut.o_error, "o_error")
    words = [rng.getrandbits(32) for _ in range(5)]
    assert await host.ask(Command.WRITE, 5, MEMORY_BASE + 0x104, *words) == (Status.OK, [])
    assert await host.ask(Command.READ, 5, MEMORY_BASE + 0x104) == (Status.OK, words)
    for address in (0x1000, MEMORY_BASE + SIZE, 0x2000_0000, 0xF000_0000):
        assert await host.ask(Command.READ, 1, address) == (Status.BUS_ERROR, [])
    host.send(rng.randbytes(30).replace(b"\xc0", b"") + b"\xc0")
    assert await host.answer() == (Status.BAD_FRAME, [])
    assert not read(dut.o_irq, "o_irq") and not read(dut.o_busy, "o_busy")
    bits = BY_NAME["IRQ_STATUS"].pack(job_done=1, bad_settings=1)
    assert await host.ask(Command.WRITE, 1, ADDRESS["IRQ_ENABLE"], bits) == (Status.OK, [])
    assert await host.ask(Command.WRITE, 1, ADDRESS["CONTROL"], BY_NAME["CONTROL"].pack(start=1)) == (Status.OK, [])
    assert await host.ask(Command.READ, 1, ADDRESS["IRQ_STATUS"]) == (Status.OK, [bits])
    assert read(dut.o_irq, "o_irq")
    assert await host.ask(Command.WRITE, 1, ADDRESS["IRQ_STATUS"], bits) == (Status.OK, [])
    assert not read(dut.o_irq, "o_irq")


def test_board_demo(simulator):
    simulate(BoardDemo(PARAMS, DIVISOR, SIZE), __name__, simulator, name="board_demo")


def test_blink_is_visible():
    """A job of some clock cycles lights the LED for a part of a second."""
    assert 0.02 < board_demo.BLINK_CYCLES / 50e6 < 0.1
