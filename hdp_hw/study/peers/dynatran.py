"""DynaTran, of AccelTran (Tuli and Jha, TCAD 2023): small activations become zero."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.study.peers.cost import OPERAND_BITS, addition
from hdp_hw.study.peers.method import Method, softmax


@dataclass(eq=False)
class DynaTran(Method):
    """Sets x to 0 where |x| <= tau: in Q, K, V, the scores before they are scaled, P and O.

    A multiply-accumulate is avoided where one of its factors is zero. A score that became zero still weighs e^0.
    DynaTran prunes the outputs of all linear layers too; those outside of attention are left as they are, and saving
    there is not counted. Memory holds the elements that are left, and a bit for each that says whether it is.

    Parameters
    ----------
    tau : float
        Threshold of the whole network, 0 or more.
    """

    tau: float = 0.01

    def __post_init__(self):
        self.require("tau", 0, np.inf, "0 or more")

    def __call__(self, layer, q, k, v):
        *_, n, d = q.shape
        q, k, v = (self._prune(x) for x in (q, k, v))
        s = self._prune(q @ k.swapaxes(-1, -2))
        p = self._prune(softmax(s / np.float32(np.sqrt(d))))
        context = self._prune(p @ v)
        macs = products(q, k.swapaxes(-1, -2)) + products(p, v)
        decision = 4 * n * d * addition(OPERAND_BITS) + n * n * (addition() + addition(OPERAND_BITS))
        stored = sum((x != 0).sum((-2, -1)) for x in (q, k, v, context)) + 4 * n * d / OPERAND_BITS
        self.add(layer, q, p != 0, macs=macs, cost=macs, decision=decision, bytes=stored)
        return context

    def _prune(self, x):
        return np.where(np.abs(x) <= self.tau, np.float32(0), x)


def products(a, b):
    """Number of products of a @ b, matrices [..., rows, columns], neither of whose factors is zero: [...]."""
    return ((a != 0).sum(-2) * (b != 0).sum(-1)).sum(-1)
