"""Heads to run: captured from a real transformer, random, wide, and corner cases.

Captured ones come from all-MiniLM-L6-v2 (6 layers of 12 heads, d = 32); :mod:`hdp_hw.study.capture` is their recipe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.calibration import head_settings
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule

CAPTURE = Path(__file__).with_name("data") / "minilm_heads.npz"


@dataclass(frozen=True, eq=False)
class Head:
    """Real-valued operands of one head, and the scales that quantise them.

    q : float32 [n_q, d]; k, v : float32 [n_k, d]; q_absmax, k_absmax, v_absmax : magnitudes that become digit_max.
    source : "captured" or "synthetic"; layer, head : where a captured head was in its model, else None.
    """

    name: str
    source: str
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    q_absmax: float
    k_absmax: float
    v_absmax: float
    layer: int | None = None
    head: int | None = None

    @property
    def n_q(self) -> int:
        """Queries."""
        return self.q.shape[0]

    @property
    def n_k(self) -> int:
        """Keys."""
        return self.k.shape[0]

    @property
    def head_dim(self) -> int:
        """Elements of a row."""
        return self.q.shape[1]

    def quantised(self, params: HdpParams) -> tuple[np.ndarray, ...]:
        """Integer ``(q, k, v)`` of 2w bits, in the shapes of the head."""
        scales = self.q_absmax, self.k_absmax, self.v_absmax
        return tuple(quantize(x, absmax, params) for x, absmax in zip((self.q, self.k, self.v), scales))

    def settings(self, params: HdpParams, rule: Rule = Rule.DENSE, threshold: float = 0.0, **more: Any) -> HeadSettings:
        """HeadSettings for the :meth:`quantised` operands; see :func:`golden.calibration.head_settings`."""
        dimensions = self.n_q, self.n_k, self.head_dim
        return head_settings(*dimensions, self.q_absmax, self.k_absmax, params, rule, threshold, **more)

    def real_output(self, output: np.ndarray, params: HdpParams) -> np.ndarray:
        """Integer output of the core in the units of ``v``."""
        return output * (self.v_absmax / params.digit_max)

    def cropped(self, n: int) -> Head:
        """The head with its first ``n`` queries and keys only."""
        return replace(self, name=f"{self.name}[:{n}]", q=self.q[:n], k=self.k[:n], v=self.v[:n])


def captured_heads(n: int | None = None, path: Path = CAPTURE) -> list[Head]:
    """The committed captured heads, in the order of their passages: all of them, or those of length ``n``."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    ends = np.cumsum(arrays["n"])
    heads = []
    for index, end in enumerate(ends):
        entry = {name: array[index].item() for name, array in arrays.items() if name not in "qkv"}
        rows = slice(end - entry.pop("n"), end)
        name = "{}.{}.{}".format(entry.pop("passage"), entry["layer"], entry["head"])
        operands = {part: arrays[part][rows].astype(np.float32) for part in "qkv"}
        heads.append(Head(name, "captured", **operands, **entry))
    return [head for head in heads if n in (None, head.n_q)]


def wide_head(a: Head, b: Head) -> Head:
    """A synthetic head of two of one length, side by side along d; its logits are the mean of theirs."""
    operands = {part: np.concatenate([getattr(a, part), getattr(b, part)], 1) for part in "qkv"}
    q_absmax, k_absmax, v_absmax = (
        max(getattr(a, name), getattr(b, name)) for name in ("q_absmax", "k_absmax", "v_absmax")
    )
    operands["q"] *= np.float32(0.5**0.5)
    q, k, v = operands.values()
    return Head(f"{a.name}+{b.name}", "synthetic", q, k, v, q_absmax * 0.5**0.5, k_absmax, v_absmax)


def wide_heads(n: int) -> list[Head]:
    """Synthetic heads of d = 64 from the captured ones of length ``n``, each of which is used once.

    Those alike in sharpness are joined, so that the wide heads spread from sharp to flat as the captured ones do.
    """
    heads = sorted(captured_heads(n), key=lambda head: effective_keys(head.q, head.k))
    return [wide_head(a, b) for a, b in zip(heads[::2], heads[1::2])]


def effective_keys(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Sharpness of heads q, k [..., n, d]: exp of the mean entropy of the softmax rows.

    From 1, where each query attends to one key, to the number of keys, where attention is uniform.
    """
    s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    s = s - s.max(-1, keepdims=True)
    e = np.exp(s)
    total = e.sum(-1)
    return np.exp((np.log(total) - (e * s).sum(-1) / total).mean(-1))


def random_head(rng: np.random.Generator, n_q: int, n_k: int, d: int, sharpness: float = 1.0) -> Head:
    """A head of Gaussian operands; ``sharpness`` is the standard deviation of its logits in nats."""
    q, k, v = (rng.standard_normal((n, d), np.float32) for n in (n_q, n_k, n_k))
    q *= np.float32(sharpness)
    name = f"random-{n_q}x{n_k}x{d}-{sharpness:g}"
    return Head(name, "synthetic", q, k, v, 4.0 * sharpness, 4.0, 4.0)


def corner_operands(
    n_q: int, n_k: int, d: int, params: HdpParams
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """``{name: (q, k, v)}`` of integers of 2w bits at the ends of their range, beyond what ``quantize`` produces."""
    low, high = -(1 << (params.operand_width - 1)), (1 << (params.operand_width - 1)) - 1

    def rows(n: int, values: Any) -> np.ndarray:
        return np.repeat(np.resize(values, n)[:, None], d, 1).astype(np.int64)

    ramp = rows(n_k, np.arange(low, high + 1))
    return {
        "zeros": (rows(n_q, [0]), rows(n_k, [0]), rows(n_k, [0])),
        "all_equal": (rows(n_q, [high // 2]), rows(n_k, [high // 3]), ramp),
        "saturating": (rows(n_q, [low]), rows(n_k, [low]), rows(n_k, [high])),
        "most_negative": (rows(n_q, [low]), rows(n_k, [high]), rows(n_k, [low])),
        "alternating": (rows(n_q, [low, high]), rows(n_k, [high, low]), rows(n_k, [low, high])),
        "one_key": (rows(n_q, [high]), rows(n_k, [high] + [low] * (n_k - 1)), ramp),
    }
