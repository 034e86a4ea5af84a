"""What the tile array computes: for whole heads at once, and cycle by cycle as its parts do."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.digits import split
from hdp_hw.spec.params import ArrayMode


def integer_scores(q: np.ndarray, k: np.ndarray, digit_width: int) -> np.ndarray:
    """A = IQ . IK^T for operands q [..., n_q, d], k [..., n_k, d] -> [..., n_q, n_k]."""
    iq, _ = split(q, digit_width)
    ik, _ = split(k, digit_width)
    return _product(iq, ik.swapaxes(-1, -2), digit_width)


def scores(q: np.ndarray, k: np.ndarray, digit_width: int, full: Any) -> np.ndarray:
    """S = (A << 2w) + ((IQ.FK^T + FQ.IK^T) << w), plus FQ.FK^T where ``full``, a boolean or one for each head."""
    w = digit_width
    (iq, fq), (ik, fk) = split(q, w), split(k.swapaxes(-1, -2), w)
    s = _product((iq << w) + fq, (ik << w) + fk, w)
    return s if np.all(full) else s - np.where(full, 0, _product(fq, fk, w))


def context(p: np.ndarray, v: np.ndarray, digit_width: int) -> np.ndarray:
    """P . V with V saturated as :func:`golden.bits.digits.split` does: [..., n_q, n_k] x [..., n_k, d]."""
    integer, fraction = split(v, digit_width)
    return _product(p, (integer << digit_width) + fraction, digit_width)


def value_total(v: np.ndarray, digit_width: int) -> np.ndarray:
    """Sum of all rows of V, saturated likewise: [..., n_k, d] -> [..., d]."""
    return value_sums(np.ones((1, v.shape[-2])), v, digit_width)[..., 0, :]


def value_sums(keys: np.ndarray, v: np.ndarray, digit_width: int) -> np.ndarray:
    """Sums of the rows of V that each row of ``keys`` (boolean [..., rows, n_k]) names: [..., rows, d]."""
    return context(keys, v, digit_width)


def _product(a: np.ndarray, b: np.ndarray, digit_width: int) -> np.ndarray:
    """Exact integer product through floats: with 8-bit operands no sum of 1024 terms is beyond 2^24, with 16-bit ones
    beyond 2^53."""
    real, integer = (np.float32, np.int32) if digit_width == 4 else (np.float64, np.int64)
    return (a.astype(real) @ b.astype(real)).astype(integer)


# -- one cycle --------------------------------------------------------------------------------------------------------
def operand_select(
    mode: ArrayMode, phase: int, integer: np.ndarray, fraction: np.ndarray, value: np.ndarray, side: str
) -> np.ndarray:
    """Digits [..., L] of the lanes, quarter by quarter, in cycle ``phase`` of a tile.

    integer, fraction : words of the planes of Q (``side`` "left") or K ("right"), [..., L]; value : a word of V's
    digits (F, I), [..., L / 2, 2].
    """
    quarter = integer.shape[-1] // 4
    if mode == ArrayMode.INTEGER:
        return integer
    if mode == ArrayMode.CROSS:
        half = 2 * quarter * (phase % 2)
        i, f = (plane[..., half : half + 2 * quarter] for plane in (integer, fraction))
        return np.concatenate([i, f] if side == "left" else [f, i], -1)
    if mode == ArrayMode.FULL:
        start = quarter * (phase % 4)
        i, f = (plane[..., start : start + quarter] for plane in (integer, fraction))
    else:
        start = quarter * (phase % 2)
        i, f = (value[..., start : start + quarter, digit] for digit in (1, 0))
    return np.concatenate([i, i, f, f] if side == "left" else [i, f, i, f], -1)


def weight_digits(weight: np.ndarray, lanes: int, digit_width: int) -> np.ndarray:
    """Left digits [..., L] of CONTEXT, for weights [...]: I, I, F, F, the same in every lane of a quarter."""
    integer, fraction = (digit[..., None] for digit in split(weight, digit_width))
    return np.repeat(np.concatenate([integer, integer, fraction, fraction], -1), lanes // 4, -1)


def digit_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The products of the multipliers."""
    return left * right


def dot_unit(left: np.ndarray, right: np.ndarray, fused: bool, digit_width: int) -> tuple[np.ndarray, np.ndarray]:
    """``(elements [..., L / 4], their sum [...])`` of digits [..., L]; fused: each element a product of operands."""
    q0, q1, q2, q3 = np.split(digit_products(left, right), 4, -1)
    w = digit_width if fused else 0
    elements = (q0 << 2 * w) + ((q1 + q2) << w) + q3
    return elements, elements.sum(-1)


def packed_operands(
    mode: ArrayMode, phase: int, integer: np.ndarray, fraction: np.ndarray, value: np.ndarray, side: str, w: int
) -> tuple[np.ndarray, np.ndarray]:
    """``(packed [L], operands [2, L / 4])`` of a side of sub-tiles, in cycle ``phase`` of a tile.

    integer, fraction : words of the planes of two rows of Q (``side`` "left") or two columns of K ("right"), [2, L];
    value : words of V's digits (F, I) of two keys, [2, L / 2, 2].
    """
    quarter = integer.shape[-1] // 4
    if mode == ArrayMode.CONTEXT and side == "right":
        digits = value[:, quarter * (phase % 2) :][:, :quarter]
        operands = (digits[..., 1] << w) + digits[..., 0]
    else:
        i, f = (plane[:, quarter * (phase % 4) :][:, :quarter] for plane in (integer, fraction))
        operands = (i << w) + f
    if mode == ArrayMode.INTEGER:
        return integer[0] + (integer[1] << (2 * w - 1) * (1 if side == "left" else 2)), operands
    packed = operands[[0, 0, 1, 1] if side == "left" else [0, 1, 0, 1]].reshape(-1)
    return packed * (mode == ArrayMode.FULL or side == "right"), operands


def sub_tile(left: np.ndarray, right: np.ndarray, w: int) -> tuple[np.ndarray, np.ndarray]:
    """``(sums [2, 2], elements [2, 2, L / 4])`` of packed operands [L]: of INTEGER, and of FULL or CONTEXT."""
    rest, sums = left * right, []
    for _ in range(4):
        digits = ((rest + (1 << (2 * w - 2))) & ((1 << (2 * w - 1)) - 1)) - (1 << (2 * w - 2))
        rest = (rest - digits) >> (2 * w - 1)
        sums.append(digits.sum())
    return np.array(sums).reshape(2, 2).T, (left * right).reshape(2, 2, -1)
