"""Sums of a linear layer."""

import numpy as np

from hdp_hw.spec.encoder import OPERAND_MAX

_EXACT = 1 << 10  #: products whose sum float32 holds exactly: 1024 * 119^2 < 2^24


def linear(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """``acc = x . weight^T + bias``, s28: x [..., k] and weight [n_out, k] operands, bias [n_out] s27 -> [..., n_out].

    Operands saturate at +- ``OPERAND_MAX``, as :func:`golden.bits.digits.split` has it. k is at most ``MAX_INPUTS``.
    """
    rows = np.clip(x, -OPERAND_MAX, OPERAND_MAX).reshape(-1, x.shape[-1]).astype(np.float32)
    columns = np.clip(weight, -OPERAND_MAX, OPERAND_MAX).astype(np.float32).T
    acc = np.zeros((len(rows), len(weight)), np.int64) + bias
    for start in range(0, x.shape[-1], _EXACT):
        part = slice(start, start + _EXACT)
        acc += (rows[:, part] @ columns[part]).astype(np.int64)
    return acc.reshape(*x.shape[:-1], -1)
