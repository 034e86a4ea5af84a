"""BoardDemo, compiled by Verilator, at one end of a pseudo-terminal: what a driver opens is a real device file."""

import os
import pty
import random
import select
import threading
import tty
from functools import cache

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.boards.board_demo import BoardDemo
from hdp_hw.rtl.boards.uart_receiver import UartReceiver, received_layout
from hdp_hw.rtl.boards.uart_transmitter import UartTransmitter
from hdp_hw.simulation.compiled_model import CompiledModel

DIVISOR = 4  #: clock cycles of a bit
PIECE = 32  #: bytes in each direction, at most, of one call of the simulation
CYCLES = 500  #: clock cycles of one call, at most


class BoardOnLine(wiring.Component):
    """A BoardDemo and the other end of its line: bytes to it, bytes from it."""

    def __init__(self, params, n_bytes):
        self.board = BoardDemo(params, DIVISOR, n_bytes)
        byte = data.StructLayout({"data": unsigned(8)})
        super().__init__({"i": In(stream.Signature(byte)), "o": Out(received_layout())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.board = board = self.board
        m.submodules.transmitter = transmitter = UartTransmitter(DIVISOR)
        m.submodules.receiver = receiver = UartReceiver(DIVISOR)
        m.d.comb += [
            transmitter.i.payload.eq(self.i.p.data),
            transmitter.i.valid.eq(self.i.valid),
            self.i.ready.eq(transmitter.i.ready),
            board.rx.eq(transmitter.tx),
            receiver.rx.eq(board.tx),
            self.o.eq(receiver.o),
        ]
        return m


@cache
def compiled(params, n_bytes):
    """The model, to be copied."""
    return CompiledModel(BoardOnLine(params, n_bytes), "board")


class SimulatedBoard(threading.Thread):
    """A board at ``device``. Within ``with`` its clock runs.

    noise : probability that a byte is turned into another, or lost, on its way; ``n_damaged`` counts them.
    """

    def __init__(self, params, n_bytes, noise=0.0):
        super().__init__(daemon=True)
        self.model = compiled(params, n_bytes).copy()
        self.noise, self.n_damaged, self.n_bytes, self._rng = noise, 0, 0, random.Random(1)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device, self._stopped = os.ttyname(self._slave), threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self.join()
        os.close(self._slave)
        os.close(self._master)

    def run(self):
        """The clock, until the end of ``with``."""
        waiting = b""
        while not self._stopped.is_set():
            if select.select([self._master], [], [], 0)[0]:
                waiting += self._line(os.read(self._master, 4096))
            beats = {"i": [(byte,) for byte in waiting[:PIECE]]}
            outputs, taken, _ = self.model.run(beats, "o", PIECE, CYCLES)
            waiting = waiting[taken["i"] :]
            if outputs["o"].count:
                assert not any(outputs["o"]["error"])
                os.write(self._master, self._line(bytes(outputs["o"]["data"])))

    def _line(self, content):
        """The bytes as the line delivers them."""
        self.n_bytes += len(content)
        if not self.noise:
            return content
        delivered = bytearray()
        for byte in content:
            hit = self._rng.random() < self.noise
            self.n_damaged += hit
            if not hit or self._rng.random() < 0.5:
                delivered.append(byte ^ (self._rng.randrange(1, 256) if hit else 0))
        return bytes(delivered)
