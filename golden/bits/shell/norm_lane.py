"""A norm from memory to memory: its descriptor, its rows, and the bytes that they take."""

from collections.abc import Callable, Mapping

import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.bits.encoder.inverse_root import inverse_root
from hdp_hw.golden.bits.encoder.norm import normalise, residual, scale, variances
from hdp_hw.golden.bits.encoder.rounding import operand
from hdp_hw.golden.bits.shell.planes import digit_bytes
from hdp_hw.golden.bits.shell.write_traffic import Target
from hdp_hw.spec.encoder import GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN, WORD_WIDTH
from hdp_hw.spec.formats import (
    NORM_ADDRESSES,
    NORM_BYTES,
    NORM_FIELDS,
    NORM_SCALES,
    NORM_SCALES_BYTES,
    NORM_STRIDES,
    STRIDE_WIDTH,
)
from hdp_hw.spec.params import HdpParams, ceil_div

Read = Callable[[int, int], bytes]  #: ``read(address, n_bytes)`` returns the memory's bytes
WORD_BYTES = WORD_WIDTH // 8


def unpacked(descriptor: bytes) -> dict[str, int]:
    """``{field: value}`` of a descriptor."""
    rest, values = int.from_bytes(descriptor, "little"), dict[str, int]()
    for name, width in NORM_FIELDS.items():
        values[name] = rest & ((1 << width) - 1)
        rest >>= width
    return values


def refused(norm: Mapping[str, int], params: HdpParams) -> str | None:
    """The bit of IRQ_STATUS with which a norm is refused, or None."""
    highest = {name: (1 << params.address_width) - 1 for name in NORM_ADDRESSES}
    highest |= {name: (1 << STRIDE_WIDTH) - 1 for name in NORM_STRIDES}
    if any(norm[name] % params.bus_bytes or norm[name] > limit for name, limit in highest.items()):
        return "misaligned"
    bounds = {"rows": (1, params.max_seq_len), "features": (2, params.max_features)}
    bounds |= dict.fromkeys(("shift", "operand_shift"), (GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX))
    legal = all(low <= norm[name] <= high for name, (low, high) in bounds.items())
    return None if legal and (norm["words"] or norm["operands"]) else "bad_settings"


def norm_rows(
    norm: Mapping[str, int], x: np.ndarray, y: np.ndarray | None, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Residual words and operands [rows, n] of words x and y, y being None if b = 0; scales [n, 4]: NORM_SCALES."""
    r = residual(x, norm["a"], y, norm["b"])
    normal = normalise(r, norm["epsilon"], bool(norm["rms"]))
    gamma, beta, operand_gamma, operand_beta = np.asarray(scales).T
    words = r if norm["pre_norm"] else scale(normal, gamma, beta, norm["shift"])
    return words, operand(scale(normal, operand_gamma, operand_beta, norm["operand_shift"]))


def exponents(norm: Mapping[str, int], x: np.ndarray, y: np.ndarray | None) -> list[int]:
    """Of each row's ``inverse_root``, which its clock cycles depend on."""
    r = residual(x, norm["a"], y, norm["b"])
    return inverse_root(variances(r, bool(norm["rms"]))[1] + norm["epsilon"])[1][:, 0].tolist()


def targets(norm: Mapping[str, int], params: HdpParams) -> dict[str, Target]:
    """``{words, integer, fraction: where rows go}`` of what is written, in the order of a row; beats are bus words."""
    n_bytes = {"words": norm["features"] * WORD_BYTES, "planes": ceil_div(norm["features"], 2)}
    kinds = {"words": "words"} if norm["words"] else {}
    kinds |= dict.fromkeys(("integer", "fraction"), "planes") if norm["operands"] else {}
    return {
        name: Target(norm[f"{name}_address"], norm[f"{kind}_row_stride"], ceil_div(n_bytes[kind], params.bus_bytes))
        for name, kind in kinds.items()
    }


def contents(read: Read, norm: Mapping[str, int], params: HdpParams) -> list[tuple[int, bytes]]:
    """``[(address, bytes)]`` that a legal norm writes, in order: each row's words, integer digits, fraction digits."""
    n, rows = norm["features"], range(norm["rows"])

    def stream(name: str) -> np.ndarray:
        first, stride = norm[f"{name}_address"], norm[f"{name}_row_stride"]
        return np.array([np.frombuffer(read(first + row * stride, n * WORD_BYTES), "<i2") for row in rows], np.int64)

    scales = np.frombuffer(read(norm["scales_address"], n * NORM_SCALES_BYTES), "<i2").reshape(n, len(NORM_SCALES))
    words, operands = norm_rows(norm, stream("x"), stream("y") if norm["b"] else None, scales.astype(np.int64))
    written = written_rows(norm, words, operands, params)
    return [(target.row(row), written[name][row]) for row in rows for name, target in targets(norm, params).items()]


def written_rows(
    norm: Mapping[str, int], words: np.ndarray, operands: np.ndarray, params: HdpParams
) -> dict[str, list[bytes]]:
    """``{words, integer, fraction: bytes of each row}`` of what is written of results [rows, n], whole bus words."""
    rows = {"words": words.astype("<i2").view(np.uint8)} if norm["words"] else {}
    if norm["operands"]:
        rows |= zip(("integer", "fraction"), map(digit_bytes, split(operands, params.digit_width)))
    return {name: [_padded(row, params) for row in of_kind] for name, of_kind in rows.items()}


def bytes_read(norm: Mapping[str, int], params: HdpParams) -> int:
    """Bytes that the memory sends for a legal norm, whole bus words."""
    row = _whole(norm["features"] * WORD_BYTES, params)
    scales = _whole(norm["features"] * NORM_SCALES_BYTES, params)
    return NORM_BYTES + scales + norm["rows"] * row * (1 + bool(norm["b"]))


def bytes_written(norm: Mapping[str, int], params: HdpParams) -> int:
    """Bytes that a legal norm writes, whole bus words."""
    return norm["rows"] * sum(target.beats for target in targets(norm, params).values()) * params.bus_bytes


def _padded(row: np.ndarray, params: HdpParams) -> bytes:
    return row.tobytes().ljust(_whole(row.size, params), b"\0")


def _whole(n_bytes: int, params: HdpParams) -> int:
    return ceil_div(n_bytes, params.bus_bytes) * params.bus_bytes
