"""The functions of a transformer, in float32."""

from collections.abc import Callable

import numpy as np

_BLOCK = 1 << 14  #: elements that are worked on at a time, so that they stay in the cache


def softmax(s: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def normalise(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float) -> np.ndarray:
    """Layer normalisation along the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(epsilon))
    return centred / scale * weight + bias


def gelu(x: np.ndarray) -> np.ndarray:
    """x * Phi(x), with erf after Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7)."""
    return _blockwise(_gelu, x)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """The approximation of gelu by tanh: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))."""
    return _blockwise(lambda y: 0.5 * y * (1 + np.tanh(0.7978845608028654 * (y + 0.044715 * y**3))), x)


def silu(x: np.ndarray) -> np.ndarray:
    """x times its logistic function."""
    return _blockwise(lambda y: y * (0.5 + 0.5 * np.tanh(0.5 * y)), x)


def quick_gelu(x: np.ndarray) -> np.ndarray:
    """x times the logistic function of 1.702 x."""
    return _blockwise(lambda y: y * (0.5 + 0.5 * np.tanh(0.851 * y)), x)


def relu(x: np.ndarray) -> np.ndarray:
    """x where it is positive, else 0."""
    return np.maximum(x, 0)


#: Activations by their names in ``config.json``.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **dict.fromkeys(("gelu", "gelu_python"), gelu),
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"), gelu_tanh),
    **dict.fromkeys(("silu", "swish"), silu),
    "quick_gelu": quick_gelu,
    "relu": relu,
}


def _blockwise(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    flat = np.ascontiguousarray(x).reshape(-1)
    out = np.empty_like(flat)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        out[block] = function(flat[block])
    return out.reshape(x.shape)


def _gelu(x: np.ndarray) -> np.ndarray:
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
