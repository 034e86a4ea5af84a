"""Images of compiled models: whether one is sound, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.errors import HdpError
from hdp_hw.spec.configs import NAMES, vars_of
from hdp_hw.spec.image import (
    ATTENTION_BYTES,
    ATTENTION_FIELDS,
    CHAIN_BYTES,
    CHAIN_FIELDS,
    HEADER_BYTES,
    HEADER_FIELDS,
    IMAGE_FORMAT,
    IMAGE_MAGIC,
)
from hdp_hw.spec.params import HdpParams, ParameterError

CRC_END = 16  #: bytes of the header that the checksum does not cover: magic, format, itself


class ImageError(HdpError):
    """What is given as an image of a model is none, is damaged, or is not for this co-processor."""


@dataclass(frozen=True, eq=False)
class Image:
    """A sound image, as its file has it: uint8 [image_bytes].

    header : ``{field: value}``; kinds : ``{what the memory holds: bytes of it}``, of an image that was just made.
    """

    data: NDArray[np.uint8]
    header: Mapping[str, int]
    kinds: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, data: bytes | NDArray[np.uint8], name: str = "the image") -> "Image":
        """The Image of bytes that were read. Raises ImageError, with ``name``."""
        image = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
        if len(image) < HEADER_BYTES or (header := unpacked(image, 0, HEADER_FIELDS))["magic"] != IMAGE_MAGIC:
            raise ImageError(f"{name} is no image of a model: make one with hdp-hw compile")
        if header["format"] != IMAGE_FORMAT:
            raise ImageError(
                f"{name} has format {header['format']}, this driver knows {IMAGE_FORMAT}: compile the model again"
            )
        if len(image) != header["image_bytes"]:
            raise ImageError(f"{name} has {len(image)} bytes of {header['image_bytes']}: copy it again")
        if crc32(image[CRC_END:].data) != header["crc32"]:
            raise ImageError(f"{name} is damaged, its checksum is wrong: copy it again")
        return cls(image, header)

    @cached_property
    def params(self) -> HdpParams:
        """Parameters of the core that it was compiled for."""
        return HdpParams(**{name: self.header[name] for name in NAMES})

    @cached_property
    def chains(self) -> list[dict[str, int]]:
        """``{field of CHAIN_FIELDS: value}`` of each chain."""
        return self._table("chains", self.header["n_chains"], CHAIN_BYTES, CHAIN_FIELDS)

    def chain_of(self, n: int) -> dict[str, int]:
        """The chain that takes n tokens. Raises ParameterError."""
        if not 1 <= n <= self.header["max_tokens"]:
            raise ParameterError("tokens of an input", n, f"1 to {self.header['max_tokens']}, which the image is for")
        return next(chain for chain in self.chains if chain["tokens"] >= n)

    def attention(self, chain: Mapping[str, int]) -> list[dict[str, int]]:
        """``{field of ATTENTION_FIELDS: value}`` of a chain's attention jobs."""
        return self._table(chain["attention"], self.header["n_layers"], ATTENTION_BYTES, ATTENTION_FIELDS)

    def check(self, params: HdpParams) -> None:
        """Raise ImageError unless it was compiled for these parameters."""
        ours, theirs = vars_of(self.params), vars_of(params)
        if wrong := [f"{name} = {ours[name]}, not {theirs[name]}" for name in NAMES if ours[name] != theirs[name]]:
            raise ImageError(f"the image is for a co-processor with {', '.join(wrong)}: compile the model for this one")

    def at(self, base: int) -> NDArray[np.uint8]:
        """Its bytes for a buffer whose first byte the co-processor finds at an address."""
        moved = self.data.copy()
        places = self._words("relocations", self.header["n_relocations"])
        words = moved.view("<u8")
        words[places // 8] += np.uint64(base)
        return moved

    def _table(self, place: str | int, n: int, n_bytes: int, fields: Mapping[str, int]) -> list[dict[str, int]]:
        offset = self.header[place] if isinstance(place, str) else place
        return [unpacked(self.data, offset + n_bytes * index, fields) for index in range(n)]

    def _words(self, name: str, n: int) -> NDArray[np.uint32]:
        return self.data[self.header[name] :][: 4 * n].view("<u4")


def unpacked(data: NDArray[np.uint8], offset: int, fields: Mapping[str, int]) -> dict[str, int]:
    """``{field: value}`` of bytes from an offset on."""
    values = {}
    for name, width in fields.items():
        values[name] = int.from_bytes(data[offset : offset + width // 8].tobytes(), "little")
        offset += width // 8
    return values
