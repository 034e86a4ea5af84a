"""Sanger (Lu et al., MICRO 2021): a softmax of 4-bit scores predicts which elements count."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.study.peers.cost import EXPONENTIAL, addition, multiplication
from hdp_hw.study.peers.method import Method, largest, logits, softmax


@dataclass(eq=False)
class Sanger(Method):
    """Keeps the elements whose predicted probability is above a threshold; exact attention on the rest.

    The prediction is softmax(Q'K'^T / sqrt(d)) with Q' and K' of 4 bits, symmetric, a scale a head. A query all of
    whose probabilities are below (which takes more keys than 1 / threshold) keeps its largest.

    Parameters
    ----------
    threshold : float
        Of the predicted probability, 0 to 1; the authors' is 2e-3.
    """

    threshold: float = 2e-3

    def __post_init__(self):
        self.require("threshold", 0, 1, "0 up to, not including, 1")

    def __call__(self, layer, q, k, v):
        *_, n, d = q.shape
        predicted = softmax(logits(quantised(q), quantised(k)))
        kept = (predicted > self.threshold) | largest(predicted, 1)
        decision = n * n * (d * multiplication(4, 4) + EXPONENTIAL + 3 * addition())  # maximum, sum, comparison
        self.count(layer, q, kept, kept, decision, moved=3 * n)
        return softmax(logits(q, k), kept) @ v


def quantised(x):
    """x [..., n, d] rounded to 4 bits, -7 to 7, a scale a head, in the units of x."""
    peak = np.abs(x).max((-2, -1), keepdims=True)
    scale = np.where(peak > 0, peak, 1) / 7
    return (np.rint(x / scale) * scale).astype(np.float32)
