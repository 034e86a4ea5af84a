"""A linear layer as a head of the core."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hdp_hw.golden.bits.encoder.epilogue import activate, operands, words
from hdp_hw.golden.bits.encoder.linear import linear
from hdp_hw.spec.encoder import SCALES_BYTES, SCALES_FIELDS, Activation
from hdp_hw.spec.settings import HeadSettings

_SIGNED = ("bias",)


def packed(scales: Mapping[str, np.ndarray]) -> np.ndarray:
    """Bytes [n_out, SCALES_BYTES] of output channels' scales [n_out], the fields of ``SCALES_FIELDS``."""
    total, low = np.zeros(len(scales["bias"]), np.uint64), 0
    for name, width in SCALES_FIELDS.items():
        total |= (np.asarray(scales[name]).astype(np.int64).astype(np.uint64) & ((1 << width) - 1)) << low
        low += width
    return total.astype("<u8").view(np.uint8).reshape(-1, SCALES_BYTES).astype(np.int64)


def unpacked(scales: np.ndarray) -> dict[str, np.ndarray]:
    """The inverse of :func:`packed`."""
    total = np.ascontiguousarray(scales).astype(np.uint8).view("<u8")[:, 0]
    fields, low = dict[str, np.ndarray](), 0
    for name, width in SCALES_FIELDS.items():
        value = ((total >> np.uint64(low)) & np.uint64((1 << width) - 1)).astype(np.int64)
        fields[name] = value - ((value >> (width - 1)) << width) if name in _SIGNED else value
        low += width
    return fields


def linear_head(
    x: np.ndarray, weight: np.ndarray, scales: np.ndarray, settings: HeadSettings, table: Any = None
) -> np.ndarray:
    """Bytes [n_q, n_k or 2 * n_k], signed, of operands x [n_q, k] and weight [n_k, k].

    scales : as :func:`packed` makes them; table : of the activation. Words are little-endian.
    """
    of = unpacked(scales)
    y = words(linear(x, weight, of["bias"]), of["mult"], of["shift"])
    y = activate(y, Activation(settings.activation), table)
    if not settings.words:
        return operands(y, of["factor"])
    return y.astype("<i2").view(np.int8).astype(np.int64)
