"""A3 (Ham et al., HPCA 2020): a greedy search for candidate keys, and a threshold on their scores."""

from dataclasses import dataclass
from math import log, log2

import numpy as np

from hdp_hw.study.peers.cost import addition, multiplication, sorting
from hdp_hw.study.peers.method import Method, largest, logits, softmax


@dataclass(eq=False)
class A3(Method):
    """Candidates by partial sums of the largest and smallest products; of these, the ones of enough weight.

    The columns of K are sorted once. Per query, each of M steps takes the largest product K[j, c] q[c] not yet taken
    and adds it to row j's estimate, then does the same with the smallest, unless the sum of all estimates is negative.
    Rows of a positive estimate are candidates (where there is none, the row of the largest estimate). Candidates are
    scored exactly, and those more than ln(100 / ``percent``) below the best are dropped.

    Parameters
    ----------
    steps : float
        M over the number of keys, above 0 up to 1; at least one step is made. The authors' conservative setting is
        1/2, their aggressive one 1/8.
    percent : float
        Smallest weight in percent of the largest, above 0 up to 100. Conservative 5, aggressive 10.
    """

    steps: float = 0.5
    percent: float = 5.0

    def __post_init__(self):
        self.require("steps", np.nextafter(0, 1), np.nextafter(1, 2), "above 0 up to 1")
        self.require("percent", np.nextafter(0, 1), np.nextafter(100, 101), "above 0 up to 100")

    def __call__(self, layer, q, k, v):
        *_, n, d = q.shape
        m = max(1, int(self.steps * n))
        # One head at a time: n * n * d products each.
        heads = zip(q.reshape(-1, n, d), k.reshape(-1, n, d))
        estimate = np.stack([estimates(*head, m) for head in heads]).reshape(*q.shape[:-1], n)
        candidates = (estimate > 0) | largest(estimate, 1)
        s = logits(q, k)
        top = np.where(candidates, s, -np.inf).max(-1, keepdims=True)
        kept = candidates & (s >= top - np.float32(log(100 / self.percent)))
        step = 2 * (multiplication(8) + (1 + log2(d)) * addition())  # both ends: refill, add up, next of d columns
        decision = d * sorting(n, 8) + n * (2 * d * multiplication(8) + m * step)
        decision = decision + 2 * addition() * candidates.sum((-2, -1))
        self.count(layer, q, candidates, kept, decision, moved=3 * n)
        return softmax(s, kept) @ v


def estimates(q, k, m):
    """Estimated scores [n_q, n_k] of one head after ``m`` greedy steps."""
    products = (q[:, None] * k).reshape(len(q), -1)
    queries = np.arange(len(q))

    def first(values):
        """``(indices, products)`` [n_q, m] of the smallest ``values``, in order."""
        at = np.argpartition(values, min(m, values.shape[1]) - 1, 1)[:, :m]
        at = np.take_along_axis(at, np.argsort(np.take_along_axis(values, at, 1), 1, kind="stable"), 1)
        return at // k.shape[1], np.take_along_axis(products, at, 1)

    (top_rows, top), (low_rows, low) = first(-products), first(products)
    estimate, running = np.zeros((len(q), len(k)), np.float32), np.zeros(len(q), np.float32)
    n_low = np.zeros(len(q), int)
    for step in range(m):
        estimate[queries, top_rows[:, step]] += top[:, step]
        running += top[:, step]
        taking = queries[running >= 0]
        smallest = low[taking, n_low[taking]]
        estimate[taking, low_rows[taking, n_low[taking]]] += smallest
        running[taking] += smallest
        n_low[taking] += 1
    return estimate
