"""Float64 attention and error metrics."""

from typing import Any

import numpy as np


def attention(q: Any, k: Any, v: Any, causal: bool = False, kept: np.ndarray | None = None) -> np.ndarray:
    """softmax(QK^T / sqrt(d)) V of one head in float64; ``kept`` (bool [n_q, n_k]) excludes elements."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    s = q @ k.T / np.sqrt(q.shape[1])
    allowed = np.ones(s.shape, bool) if kept is None else kept.copy()
    if causal:
        allowed &= np.arange(s.shape[1]) <= np.arange(s.shape[0])[:, None] + s.shape[1] - s.shape[0]
    s = np.where(allowed, s, -np.inf)
    top = s.max(1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))
    total = e.sum(1, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0) @ v


def relative_error(output: np.ndarray, reference: np.ndarray) -> float:
    """Frobenius norm of the difference over that of the reference."""
    return float(np.linalg.norm(output - reference) / np.linalg.norm(reference))


def cosine(output: np.ndarray, reference: np.ndarray) -> float:
    """Cosine of the angle between two arrays taken as vectors."""
    return float(np.vdot(output, reference) / (np.linalg.norm(output) * np.linalg.norm(reference)))
