"""What an image holds of a model's layers, as the co-processor reads it."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.memory_layout import pack_rows, row_bytes
from hdp_hw.driver.operands import digits_of
from hdp_hw.encoder.jobs import Linear, Norm
from hdp_hw.encoder.tiling import channel_unit
from hdp_hw.spec.encoder import SCALES_BYTES, Activation
from hdp_hw.spec.formats import REGION_ALIGNMENT
from hdp_hw.spec.params import HdpParams, ceil_div


class Content:
    """Bytes that grow; each part begins at a multiple of REGION_ALIGNMENT.

    kinds : ``{kind of part: bytes of them}``.
    """

    def __init__(self, header_bytes: int) -> None:
        self.parts: dict[int, bytes] = {}
        self.kinds: dict[str, int] = defaultdict(int)
        self.size = 0
        self.put("header, jobs and lists", bytes(header_bytes))

    def put(self, kind: str, part: np.ndarray | bytes) -> int:
        """Append a part; returns its offset."""
        offset, data = self.size, bytes(part)
        self.parts[offset] = data
        self.size = aligned(offset + len(data))
        self.kinds[kind] += self.size - offset
        return offset

    def copy(self) -> "Content":
        """What grows on its own."""
        content = Content(0)
        content.parts, content.kinds, content.size = dict(self.parts), self.kinds.copy(), self.size
        return content

    def bytes(self) -> np.ndarray:
        """uint8 [size] of all parts."""
        image = np.zeros(self.size, np.uint8)
        for offset, data in self.parts.items():
            image[offset : offset + len(data)] = np.frombuffer(data, np.uint8)
        return image


@dataclass(frozen=True)
class StoredLinear:
    """Where a linear layer lies. Results have ``bits`` bits: 4, operands as digit planes; 8, operands; 16, words."""

    n_inputs: int
    n_channels: int
    bits: int
    activation: Activation
    integer: int
    fraction: int
    scales: int
    table: int

    @classmethod
    def of(
        cls,
        layer: Linear,
        bits: int,
        content: Content,
        params: HdpParams,
        heads: tuple[int, int] | None = None,
        input_heads: tuple[int, int] | None = None,
    ) -> "StoredLinear":
        """The Linear, put into the content.

        heads : ``(number, channels)`` of groups of its channels, each of which gets zeros up to so many channels;
        input_heads : likewise of its inputs.
        """
        weight, scales = layer.weight, layer.scales
        if input_heads:
            weight = spread(weight.T, *input_heads).T
        if heads:
            weight, scales = spread(weight, *heads), spread(scales, *heads)
        unit = channel_unit(params, bits)
        n_channels = ceil_div(len(weight), unit) * unit
        n_inputs = ceil_div(weight.shape[1], params.slice_width) * params.slice_width
        planes = digits_of(padded(weight, n_channels, n_inputs), params)
        length = row_bytes("k_integer", n_inputs, params)
        integer, fraction = (content.put("weights", pack_rows(plane, params.digit_width, length)) for plane in planes)
        of_channels = padded(scales, n_channels, SCALES_BYTES)
        packed = pack_rows(of_channels, params.operand_width, row_bytes("value", SCALES_BYTES, params))
        at = content.put("scales of channels", packed)
        table = 0 if layer.table is None else content.put("activation tables", np.asarray(layer.table, "<i2"))
        return cls(n_inputs, n_channels, bits, layer.activation, integer, fraction, at, table)


def put_norm(norm: Norm, content: Content) -> int:
    """Put the scales of a norm's features; returns their offset."""
    return content.put("scales of norms", norm.scales.astype("<i2"))


def spread(rows: np.ndarray, number: int, n: int) -> np.ndarray:
    """int64 [number * n, m] of rows [number * k, m]: each k of them, and zeros up to n."""
    spread = np.zeros((number, n, rows.shape[1]), np.int64)
    spread[:, : len(rows) // number] = rows.reshape(number, -1, rows.shape[1])
    return spread.reshape(-1, rows.shape[1])


def padded(matrix: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """int64 [n_rows, n_columns] with zeros below and to the right."""
    padded = np.zeros((n_rows, n_columns), np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded


def aligned(offset: int) -> int:
    """The next multiple of REGION_ALIGNMENT."""
    return ceil_div(offset, REGION_ALIGNMENT) * REGION_ALIGNMENT
