"""Values as C."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np

LONG = 4096  #: elements up to which an array stands in the text: a compiler takes hundreds of bytes for each
SECTION = r".section .rodata\n.balign 8\n{0}: .incbin \"{0}.bin\"\n.previous"


class Source:
    """C so far: ``parts`` of the text, and ``files``, ``{name: bytes}``, which the assembler reads for it."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.files: dict[str, bytes] = {}

    def array(self, name: str, kind: str, values: Any) -> str:
        """Define a constant array of numbers, of C's type ``kind``; returns its name."""
        values = np.ravel(values)
        if len(values) <= LONG:
            self.parts.append(array(name, kind, values))
        else:
            dtype = np.dtype({"float": "float32"}.get(kind, kind.removesuffix("_t")))
            self.files[f"{name}.bin"] = values.astype(dtype.newbyteorder("<")).tobytes()
            self.parts.append(f'__asm__("{SECTION.format(name)}");\nextern const {kind} {name}[];\n')
        return name


def array(name: str, kind: str, values: Any) -> str:
    """C of a constant array of numbers."""
    return f"static const {kind} {name}[] = {{\n{fill(', '.join(map(str, np.ravel(values).tolist())), 118)}}};\n"


def string(text: str) -> str:
    """C of a string in UTF-8."""
    plain = {byte: chr(byte) for byte in range(0x20, 0x7F) if chr(byte) not in '"?\\'}
    return '"' + "".join(plain.get(byte, f"\\{byte:03o}") for byte in text.encode()) + '"'


def initialiser(values: Mapping[str, Any]) -> str:
    """C of a structure's initialiser, ``{member: C}``."""
    return "{" + ", ".join(f".{name} = {value}" for name, value in values.items()) + "}"
