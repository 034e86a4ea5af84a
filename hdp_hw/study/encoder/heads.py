"""Scales of attention: of Q and K in each head, and of V in each channel, by what attention makes of them."""

from collections.abc import Callable, Sequence

import numpy as np

from hdp_hw.spec.encoder import OPERAND_MAX
from hdp_hw.study.encoder.equalise import TINY, rounded
from hdp_hw.study.models.functions import softmax

Heads = Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]  #: Q, K and V of some inputs, [n_heads, n, head_dim]
SHARES = (1.0, 0.85, 0.7, 0.55, 0.4)  #: of the largest magnitudes, that operands hold; what is beyond saturates


def fitted_scales(ranges: tuple[np.ndarray, np.ndarray], heads: Heads) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Magnitudes of Q and of K that become the largest operand, of each head.

    ranges : largest magnitudes of both, [n_heads]. Of SHARES, each head takes the one with which its context is nearest
    to that of exact Q and K.
    """
    errors = np.zeros((len(SHARES), len(ranges[0])))
    for q, k, v in heads:
        exact = weights(q, k) @ v
        for index, share in enumerate(SHARES):
            integers = (rounded(x, share * _of_heads(largest)) for x, largest in zip((q, k), ranges))
            errors[index] += ((weights(*integers) @ v - exact) ** 2).sum((1, 2))
    shares = np.array(SHARES)[errors.argmin(0)]
    q_absmax, k_absmax = (tuple(np.maximum(shares * largest, TINY).tolist()) for largest in ranges)
    return q_absmax, k_absmax


def contexts(heads: Heads) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """``(rows, f)``: what attention makes of V, [n, hidden_size], and f(units [hidden_size]) what it is in operands."""
    probabilities = [weights(q, k) for q, k, _ in heads]

    def rows(units: np.ndarray | None) -> np.ndarray:
        made = []
        for p, (_, _, v) in zip(probabilities, heads):
            of_channels = None if units is None else units.reshape(len(v), 1, -1)
            values = v if of_channels is None else rounded(v, of_channels)
            context = p @ values if of_channels is None else rounded(p @ values, of_channels)
            made.append(context.swapaxes(0, 1).reshape(p.shape[1], -1))
        return np.concatenate(made)

    return rows(None), rows


def weights(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """softmax(QK^T / sqrt(d)), [n_heads, n, n]."""
    return softmax(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))


def _of_heads(largest: np.ndarray) -> np.ndarray:
    """Units [n_heads, 1, 1] of operands whose largest is that magnitude."""
    return np.maximum(largest, TINY)[:, None, None] / OPERAND_MAX
