"""The functions of a transformer, in float32."""

import numpy as np

_BLOCK = 1 << 14  #: elements that are worked on at a time, so that they stay in the cache


def softmax(s):
    """Along the last axis."""
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalise(x, weight, bias, epsilon):
    """Layer normalisation along the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(epsilon))
    return centred / scale * weight + bias


def gelu(x):
    """x * Phi(x), with erf after Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7)."""
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block] = _gelu(flat[block])
    return out.reshape(x.shape)


def _gelu(x):
    z = np.abs(x)
    z *= x.dtype.type(0.5**0.5)
    t = 1 / (1 + x.dtype.type(0.3275911) * z)
    tail = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail += x.dtype.type(coefficient)
        tail *= t
    z *= z
    tail *= np.exp(-z)
    tail *= x.dtype.type(0.5)  # 1 - Phi(|x|)
    return x * np.where(x >= 0, 1 - tail, tail)
