"""The streams among a component's ports, and their beats as bytes.

A beat is stored field by field in order, each little-endian in as many bytes as Verilator stores a port of its width.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from amaranth.lib import data

from hdp_hw.rtl.verilog import ports_of


@dataclass(frozen=True)
class StreamPorts:
    """``{field: width}`` of a stream, in order, and which of its handshake ports exist."""

    fields: dict
    has_valid: bool = True
    has_ready: bool = True

    @property
    def beat_bytes(self):
        """Bytes of a stored beat."""
        return sum(map(stored_bytes, self.fields.values()))

    def encode(self, beats):
        """uint8 [n, beat_bytes] of n beats, tuples with a value for each field: an integer, or an array of them."""
        if not beats:
            return np.zeros((0, self.beat_bytes), np.uint8)
        return np.concatenate([_to_bytes(list(x), width) for x, width in zip(zip(*beats), self.fields.values())], 1)

    def decode(self, stored):
        """``{field: uint8 [n, bytes]}`` of beats stored in uint8 [n, beat_bytes]; see :func:`to_integers`."""
        ends = np.cumsum([stored_bytes(width) for width in self.fields.values()])
        return dict(zip(self.fields, np.split(stored, ends[:-1], 1)))


def streams_of(component):
    """``({input: StreamPorts}, {output: StreamPorts}, {level: width})`` of a component, by the names of its ports.

    Besides streams, a structure with a field ``valid`` counts as a stream that is taken whenever it is valid,
    and a one-bit output as such a stream without fields. Any other port is a level.
    """
    widths = {name: width for name, _, width in ports_of(component)}
    directions = {name: direction for name, direction, _ in ports_of(component)}
    inputs, outputs, levels = {}, {}, {}
    for name, member in component.signature.members.items():
        shape = member.signature.members["payload"].shape if member.is_signature else member.shape
        fields = [key for key, _ in shape] if isinstance(shape, data.StructLayout) else []
        ports = {key: widths[f"{name}_{key}"] for key in fields if key != "valid"}
        if member.is_signature:
            of = inputs if directions[f"{name}_valid"] == "input" else outputs
            of[name] = StreamPorts(ports)
        elif "valid" in fields:
            of = inputs if directions[f"{name}_valid"] == "input" else outputs
            of[name] = StreamPorts(ports, has_ready=False)
        elif fields:
            levels |= {f"{name}_{key}": width for key, width in ports.items()}
        elif (directions[name], widths[name]) == ("output", 1):
            outputs[name] = StreamPorts({}, has_valid=False, has_ready=False)
        else:
            levels[name] = widths[name]
    return inputs, outputs, levels


def stored_bytes(width):
    """Bytes in which Verilator stores a port."""
    return next((size for size in (1, 2, 4, 8) if width <= 8 * size), 4 * ceil(width / 32))


def to_integers(stored, width, n=1):
    """uint64 [beats, n] of the ``n`` elements that fill a field of ``width`` bits, stored in uint8 [beats, bytes]."""
    bits = np.unpackbits(stored, axis=1, count=width, bitorder="little").reshape(len(stored), n, width // n)
    return (bits.astype(np.uint64) << np.arange(width // n, dtype=np.uint64)).sum(-1, dtype=np.uint64)


def _to_bytes(values, width):
    """uint8 [n, bytes] of n integers, or n arrays of them, element 0 lowest, that fill a field of ``width`` bits."""
    array = np.array(values, np.int64).reshape(len(values), -1)
    each = width // max(1, array.shape[1])
    bits = (array[:, :, None] >> np.arange(each)) & 1
    packed = np.packbits(bits.astype(np.uint8).reshape(len(values), -1), 1, bitorder="little")
    return np.pad(packed, [(0, 0), (0, stored_bytes(width) - packed.shape[1])])
