"""The demonstration of hdp_hw.rtl.boards at the other end of a serial line, as a Bus."""

import os
import select
import termios
import time
import tty
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdp_hw.driver.checks import number, whole
from hdp_hw.driver.errors import BusError, HdpError, NoAnswer
from hdp_hw.driver.frames import Answer, FrameDecoder, decode_answer, encode_frame, encode_request
from hdp_hw.spec.link_protocol import MAX_WORDS, MEMORY_BASE, REGISTERS_BASE, WORD_BYTES, Command, Status
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.register_map import BY_NAME

BAUD = 1_000_000  #: bits per second that the boards are built for
PAGE_BYTES = 4096  #: a board has at least so much memory, and a power of two
QUIET_SECONDS = 0.05  #: after which a board surely answers no more; a serial adapter's latency is 16 ms
CURE = "check cable, device and baud rate, that the board is configured, and that nothing else uses the line"


class SerialPort:
    """A terminal device in raw mode.

    Parameters
    ----------
    device : str
        Such as ``/dev/ttyUSB0``.
    baud : int
        Bits per second.

    Raises
    ------
    ParameterError
        The system knows no such baud rate.
    HdpError
        There is no such device, or it is no terminal.
    """

    def __init__(self, device: str, baud: int = BAUD) -> None:
        self.device = device
        speed = getattr(termios, f"B{baud}", None)
        if speed is None:
            known = sorted(int(name[1:]) for name in vars(termios) if name[0] == "B" and name[1:].isdigit())
            raise ParameterError("baud", baud, ", ".join(map(str, known)))
        try:
            self._file = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._file)
            attributes = termios.tcgetattr(self._file)
            attributes[2] |= termios.CLOCAL | termios.CREAD
            attributes[4] = attributes[5] = speed
            termios.tcsetattr(self._file, termios.TCSANOW, attributes)
        except (OSError, termios.error) as error:
            raise HdpError(f"{device} cannot be used as a serial line: {error.args[-1]}") from None

    def read(self, seconds: float) -> bytes:
        """Bytes that have come, or that come first within some seconds. Raises HdpError if the device is gone."""
        return self._try(os.read, 65536, seconds) or b""

    def write(self, content: bytes, seconds: float) -> None:
        """Send bytes. Raises HdpError if the device is gone, and NoAnswer if it does not take them in time."""
        deadline = time.monotonic() + seconds
        while content:
            sent = self._try(os.write, content, deadline - time.monotonic())
            if not sent:
                raise NoAnswer(f"{self.device} takes no bytes for {seconds:g} s: {CURE}")
            content = content[sent:]

    def _try(self, action: Callable[[int, Any], Any], argument: Any, seconds: float) -> Any:
        """What os.read or os.write returns when the device is ready for it, None if it is not in time."""
        try:
            readable, writable = ([self._file], []) if action is os.read else ([], [self._file])
            if not any(select.select(readable, writable, [], max(0, seconds))):
                return None
            if not (done := action(self._file, argument)):
                raise HdpError(f"{self.device} is gone: no bytes come any more")
            return done
        except BlockingIOError:
            return None
        except OSError as error:
            raise HdpError(f"{self.device} is gone: {error.strerror}") from None

    def close(self) -> None:
        """Give the device back."""
        os.close(self._file)


class SerialLink:
    """Words of the board, by requests of :mod:`hdp_hw.spec.link_protocol`.

    Parameters
    ----------
    port : SerialPort
    seconds : float
        How long an answer may take.
    tries : int
        How often a request is sent before it is given up. Sent again, a write is carried out once all the same.

    Raises
    ------
    NoAnswer
        No board answers.
    """

    def __init__(self, port: SerialPort, seconds: float = 1.0, tries: int = 5) -> None:
        self.port, self.seconds = port, number("seconds", seconds, 0, unit="seconds")
        self.tries = whole("tries", tries, 1)
        self._sequence, self._decoder = 0, FrameDecoder()
        self.read(REGISTERS_BASE, 1)  # from now on the board does not take a first write for the last one of before

    def read(self, address: int, n_words: int) -> NDArray[np.uint32]:
        """uint32 [n_words] from a byte address on. Raises BusError, NoAnswer."""
        pieces = [self._request(Command.READ, at, n) for at, n in _pieces(address, n_words)]
        return np.frombuffer(b"".join(pieces), "<u4")

    def write(self, address: int, words: ArrayLike) -> None:
        """Write uint32 [n] from a byte address on. Raises BusError, NoAnswer."""
        content = np.ascontiguousarray(words, "<u4").tobytes()
        for at, n in _pieces(address, len(content) // WORD_BYTES):
            begin = at - address
            self._request(Command.WRITE, at, n, content[begin : begin + WORD_BYTES * n])

    def _request(self, command: Command, address: int, n_words: int, words: bytes = b"") -> bytes:
        """The words of the answer, as bytes."""
        self._sequence = (self._sequence + 1) & 0xFF
        request = encode_frame(encode_request(self._sequence, command, n_words, address, words))
        happened = {"no answer": 0, "a damaged answer": 0, "a damaged request": 0}
        n_bytes = WORD_BYTES * n_words if command == Command.READ else 0
        for attempt in range(self.tries):
            self._forget(QUIET_SECONDS if attempt else 0)
            self.port.write(request, self.seconds)
            answer = self._answer(n_bytes)
            if answer is None:
                happened["no answer"] += 1
            elif answer == "damaged":
                happened["a damaged answer"] += 1
            elif answer.status == Status.BAD_FRAME:
                happened["a damaged request"] += 1
            elif answer.status == Status.OK:
                return answer.words
            else:
                where = f"{command.name.lower()} of {n_words} words at {address:#x}"
                raise BusError(f"the board refuses the {where}: {Status(answer.status).name}")
        counts = ", ".join(f"{n} times {what}" for what, n in happened.items() if n)
        raise NoAnswer(f"{self.port.device}: {counts}, within {self.seconds:g} s each: {CURE}")

    def _forget(self, quiet: float) -> None:
        """Drop what has come unasked, until the line is quiet: the board loses what comes while it answers."""
        deadline = time.monotonic() + self.seconds
        while self.port.read(quiet) and time.monotonic() < deadline:
            pass
        self._decoder = FrameDecoder()

    def _answer(self, n_bytes: int) -> Answer | Literal["damaged"] | None:
        """The Answer, ``damaged``, or None if none comes in time."""
        deadline = time.monotonic() + self.seconds
        while (left := deadline - time.monotonic()) > 0:
            for content in self._decoder.feed(self.port.read(left)):
                answer = content and decode_answer(content)
                if not answer:
                    return "damaged"
                if answer.status == Status.BAD_FRAME:
                    return answer
                if answer.sequence == self._sequence and answer.status in list(Status):
                    fits = len(answer.words) == (n_bytes if answer.status == Status.OK else 0)
                    return answer if fits else "damaged"
        return None


def _pieces(address: int, n_words: int) -> list[tuple[int, int]]:
    """``(address, number of words)`` of requests."""
    return [(address + WORD_BYTES * first, min(MAX_WORDS, n_words - first)) for first in range(0, n_words, MAX_WORDS)]


class SerialMemory:
    """The board's memory, as a :class:`hdp_hw.driver.backend.Memory`; offsets and lengths are multiples of four."""

    def __init__(self, link: SerialLink) -> None:
        self._link, self.address = link, MEMORY_BASE
        self.size = PAGE_BYTES
        while self._holds(self.size):
            self.size *= 2

    def _holds(self, offset: int) -> bool:
        try:
            self._link.read(self.address + offset, 1)
        except BusError:
            return False
        return True

    def write(self, offset: int, content: NDArray[np.uint8]) -> None:
        """See :class:`hdp_hw.driver.backend.Memory`."""
        self._link.write(self.address + offset, np.ascontiguousarray(content).view("<u4"))

    def read(self, offset: int, n_bytes: int) -> NDArray[np.uint8]:
        """See :class:`hdp_hw.driver.backend.Memory`."""
        return self._link.read(self.address + offset, n_bytes // WORD_BYTES).view(np.uint8)


class SerialBus:
    """A :class:`hdp_hw.driver.backend.Bus` at the other end of a serial line; IRQ_STATUS is polled.

    Parameters
    ----------
    link : SerialLink
    poll_seconds : float
        Time between two looks at IRQ_STATUS.

    Raises
    ------
    NoAnswer
        No board answers.
    """

    def __init__(self, link: SerialLink, poll_seconds: float = 0.001) -> None:
        number("poll_seconds", poll_seconds, 0, unit="seconds")
        self.link, self._poll_seconds = link, poll_seconds
        self.memory = SerialMemory(link)

    @classmethod
    def open(cls, device: str, baud: int = BAUD) -> "SerialBus":
        """Of a device such as ``/dev/ttyUSB0``."""
        return cls(SerialLink(SerialPort(device, baud)))

    def read32(self, address: int) -> int:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        return int(self.link.read(REGISTERS_BASE + address, 1)[0])

    def write32(self, address: int, value: int) -> None:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        self.link.write(REGISTERS_BASE + address, [value])

    def wait(self, seconds: float) -> bool:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        enable, status = (BY_NAME[name].address for name in ("IRQ_ENABLE", "IRQ_STATUS"))
        deadline = time.monotonic() + seconds
        while not self.read32(status) & self.read32(enable):
            if time.monotonic() > deadline:
                return False
            time.sleep(self._poll_seconds)
        return True
