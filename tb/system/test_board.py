"""The driver at one end of a pseudo-terminal, the simulated board at the other."""

import os
import pty
import threading
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import BusBackend, Emulator, HdpDriver, LayerSettings
from hdp_hw.driver.errors import BusError, HdpError, NoAnswer, UnsupportedCore
from hdp_hw.driver.frames import FrameDecoder, encode_frame
from hdp_hw.driver.serial_link import SerialBus, SerialLink, SerialPort
from hdp_hw.golden.stimulus import captured_heads
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.link_protocol import MEMORY_BASE, Status
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.simulated_board import SimulatedBoard

PARAMS = replace(CONFIGS["tiny"], lanes=4, max_seq_len=64)  # soon compiled
SIZE = 1 << 16  #: of the board's memory


@pytest.fixture(scope="module")
def board():
    with SimulatedBoard(PARAMS, SIZE) as board:
        yield board


def bus_of(board, seconds=60, tries=5):
    """A SerialBus; its patience is that of a simulation on a busy machine."""
    return SerialBus(SerialLink(SerialPort(board.device, 115200), seconds, tries))


def layer_of(n_heads, n):
    """Matrices of captured heads, cut to ``n`` tokens, and the layer's settings."""
    heads = captured_heads(32)[:n_heads]
    assert len(heads) == n_heads
    q, k, v = (np.stack([getattr(head, name)[:n] for head in heads]) for name in "qkv")
    return q, k, v, LayerSettings.fit(q, k, v, rule="mass", threshold=1.0, relative=True, compensate=True)


def same(driver, q, k, v, layer):
    """Output and statistics equal the emulator's, bit for bit."""
    output, statistics = driver.attend(q, k, v, layer)
    expected, golden = HdpDriver(Emulator(PARAMS)).attend(q, k, v, layer)
    assert output.tobytes() == expected.tobytes()
    for name in ("verdicts", "kept", "visited", "theta_heads", "bytes_read", "bytes_unmasked"):
        assert getattr(statistics, name) == getattr(golden, name), name
    return statistics


def test_real_layer(board):
    """Three heads of MiniLM with 32 tokens; then two with 17, on the same connection."""
    bus = bus_of(board)
    assert (bus.memory.address, bus.memory.size) == (MEMORY_BASE, SIZE)
    backend = BusBackend(bus)
    assert backend.params == PARAMS
    statistics = same(HdpDriver(backend), *layer_of(3, 32))
    assert 0 < statistics.kept_share < 1
    same(HdpDriver(backend), *layer_of(2, 17))


def test_next_connection(board):
    """A driver that begins anew finds the board as it is, whatever was on the line before."""
    port = SerialPort(board.device)
    port.write(encode_frame(b"\x01\x01\x01\x00\x00\x00\x00\x10\x01\x02\x03\x04")[:9] + b"garbage", 1)
    port.close()
    same(HdpDriver(BusBackend(bus_of(board))), *layer_of(1, 8))


def test_refused_accesses(board):
    link = bus_of(board).link
    for address, n_words in ((0x2000_0000, 1), (MEMORY_BASE + SIZE - 4, 2), (0xFFC, 1)):
        with pytest.raises(BusError, match=f"read of {n_words} words at {address:#x}: BUS_ERROR"):
            link.read(address, n_words)
    with pytest.raises(BusError, match="write of 1 words at 0x0: BUS_ERROR"):
        link.write(BY_NAME["ID"].address, [1])
    with pytest.raises(BusError, match="BAD_REQUEST"):
        link.read(2, 1)
    assert link.read(BY_NAME["ID"].address, 1)[0] == BY_NAME["ID"].reset


def test_memory_that_is_too_small(board):
    q, k, v, layer = layer_of(1, 32)
    with pytest.raises(ParameterError, match=rf"memory.size = {SIZE} is not legal; legal: at least"):
        HdpDriver(BusBackend(bus_of(board))).attend(*(np.tile(x, (24, 2, 1)) for x in (q, k, v)), layer)


def test_noise():
    """A line that damages or loses bytes costs time, and nothing else."""
    with SimulatedBoard(PARAMS, SIZE, noise=1 / 250) as board:
        same(HdpDriver(BusBackend(bus_of(board, seconds=3, tries=20))), *layer_of(1, 8))
        assert board.n_damaged >= 5, f"{board.n_damaged} of {board.n_bytes} bytes"


# -- what is no board -------------------------------------------------------------------------------------------------
class OtherEnd(threading.Thread):
    """Answers the requests at a pseudo-terminal with ``answer(sequence)``, bytes."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, (self.master, self.slave) = answer, pty.openpty()
        self.device = os.ttyname(self.slave)
        self.start()

    def run(self):
        decoder = FrameDecoder()
        try:
            while True:
                for content in decoder.feed(os.read(self.master, 4096)):
                    if content:
                        os.write(self.master, self.answer(content[0]))
        except OSError:
            return


@pytest.mark.parametrize(
    ("answer", "seconds", "message"),
    [
        (lambda sequence: b"", 0.1, "3 times no answer, within 0.1 s each: check cable"),
        (lambda sequence: b"\xc0hello\xc0", 20, "3 times a damaged answer"),
        (lambda sequence: encode_frame(bytes([0, Status.BAD_FRAME, 0, 0])), 20, "3 times a damaged request"),
        (lambda sequence: encode_frame(bytes([sequence ^ 1, 0, 0, 0, 1, 2, 3, 4])), 0.1, "3 times no answer"),
        (lambda sequence: encode_frame(bytes([sequence, 0, 0, 0, 1, 2])), 20, "3 times a damaged answer"),
    ],
    ids=["silent", "garbage", "deaf", "late", "short"],
)
def test_no_board(answer, seconds, message):
    with pytest.raises(NoAnswer, match=message):
        SerialLink(SerialPort(OtherEnd(answer).device), seconds, tries=3)


def test_other_board():
    """Something answers, and it is no co-processor."""
    end = OtherEnd(lambda sequence: encode_frame(bytes([sequence, 0, 0, 0, 1, 2, 3, 4])))
    link = SerialLink(SerialPort(end.device), seconds=20)
    bus = SerialBus.__new__(SerialBus)
    bus.link = link
    with pytest.raises(UnsupportedCore, match="register ID is 0x04030201"):
        BusBackend(bus)


def test_no_device(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name, message in (("none", "No such file"), ("file", "Inappropriate ioctl")):
        with pytest.raises(HdpError, match=f"{name} cannot be used as a serial line: {message}"):
            SerialPort(str(tmp_path / name))
    with pytest.raises(ParameterError, match=r"baud = 12345 is not legal; legal: .*115200"):
        SerialPort(str(tmp_path / "file"), 12345)


def test_unplugged():
    """The device goes away in the middle of a request."""
    end = OtherEnd(lambda sequence: encode_frame(bytes([sequence, 0, 0, 0, 1, 2, 3, 4])))
    link = SerialLink(SerialPort(end.device), seconds=20)
    os.close(end.slave)
    end.answer = lambda sequence: os.close(end.master) or b""
    with pytest.raises(HdpError, match="is gone"):
        link.read(0, 1)
