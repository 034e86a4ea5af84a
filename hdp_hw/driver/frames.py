"""Frames, requests and answers of :mod:`hdp_hw.spec.link_protocol`, as bytes."""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from hdp_hw.spec.link_protocol import CRC_BYTES, END, ESC, ESCAPES

UNESCAPES = {code: byte for byte, code in ESCAPES.items()}


class Answer(NamedTuple):
    """An answer; ``words`` are the bytes behind its head."""

    sequence: int
    status: int
    words: bytes


def encode_frame(content: bytes) -> bytes:
    """A frame around the bytes ``content``."""
    stuffed = bytearray([END])
    for byte in content + zlib.crc32(content).to_bytes(CRC_BYTES, "little"):
        stuffed += bytes([ESC, ESCAPES[byte]] if byte in ESCAPES else [byte])
    return bytes(stuffed) + bytes([END])


class FrameDecoder:
    """Finds frames among bytes that come piece by piece."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._bytes, self._escaped, self._broken = bytearray(), False, False

    def feed(self, received: bytes) -> list[bytes | None]:
        """The frames that ``received`` ends, each as its content, or None if it is damaged."""
        return [frame for byte in received for frame in self._feed(byte)]

    def damage(self) -> None:
        """The frame that is coming is no good: a byte of it was lost on the line."""
        self._broken = True

    def _feed(self, byte: int) -> Iterator[bytes | None]:
        if byte == END:
            content, check = self._bytes[:-CRC_BYTES], self._bytes[-CRC_BYTES:]
            good = len(check) == CRC_BYTES and zlib.crc32(content).to_bytes(CRC_BYTES, "little") == check
            if self._bytes or self._escaped or self._broken:
                yield bytes(content) if good and not self._escaped and not self._broken else None
            self._begin()
        elif byte == ESC and not self._escaped:
            self._escaped = True
        else:
            self._broken |= self._escaped and byte not in UNESCAPES
            self._bytes.append(UNESCAPES.get(byte, byte) if self._escaped else byte)
            self._escaped = False


def encode_request(sequence: int, command: int, n_words: int, address: int, words: bytes = b"") -> bytes:
    """Content of a request's frame."""
    return struct.pack("<BBHI", sequence, command, n_words, address) + words


def decode_answer(content: bytes) -> Answer | None:
    """Answer of a frame's content; None if it is too short."""
    return Answer(content[0], content[1], content[4:]) if len(content) >= 4 else None
