"""Energon (Zhou et al., TCAD 2022): two rounds of filtering by scores of few bits."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.study.peers.cost import addition, multiplication
from hdp_hw.study.peers.method import Method, logits, softmax


@dataclass(eq=False)
class Energon(Method):
    """Rounds on Q's top 4 bits against K's top 2, then against K's top 4 on what survived; exact attention on the rest.

    Each round keeps, per query, the scores that reach ``theta = alpha * max + (1 - alpha) * mean`` for alpha >= 0, else
    ``-alpha * min + (1 + alpha) * mean``, over what the round before has left. The second round adds the product with
    K's two further bits to what the first computed, as Energon's reusable inner product does.

    Parameters
    ----------
    alpha : float
        Of both rounds, -1 to 1: 0 keeps what is above the mean.
    """

    alpha: float = 0.0

    def __post_init__(self):
        self.require("alpha", -1, 1, "-1 up to, not including, 1")

    def __call__(self, layer, q, k, v):
        *_, n, d = q.shape
        query = top_bits(q, 4)
        first = self._filter(query @ top_bits(k, 2).swapaxes(-1, -2), np.True_)
        kept = self._filter(query @ top_bits(k, 4).swapaxes(-1, -2), first)
        rounds = n * n + first.sum((-2, -1))
        decision = rounds * (d * multiplication(4, 2) + 3 * addition())  # mean, extreme, comparison
        key_bits = 2 * n + 2 * first.any(-2).sum(-1) + 4 * kept.any(-2).sum(-1)
        self.count(layer, q, kept, kept, decision, moved=2 * n + key_bits / 8)
        return softmax(logits(q, k), kept) @ v

    def _filter(self, s, among):
        """Bool: which elements of ``among`` reach their row's threshold."""
        mean = np.where(among, s, 0).sum(-1, keepdims=True) / np.broadcast_to(among, s.shape).sum(-1, keepdims=True)
        if self.alpha >= 0:
            extreme = np.where(among, s, -np.inf).max(-1, keepdims=True)
        else:
            extreme = np.where(among, s, np.inf).min(-1, keepdims=True)
        theta = abs(self.alpha) * extreme + (1 - abs(self.alpha)) * mean
        top = np.where(among, s, -np.inf).max(-1, keepdims=True)  # reaches every threshold but for rounding
        return among & (s >= np.minimum(theta, top))


def top_bits(x, bits):
    """The top ``bits`` of x [..., n, d] as a signed number of 8 bits, each head's largest magnitude being 127."""
    peak = np.abs(x).max((-2, -1), keepdims=True)
    integers = np.rint(x * (127 / np.where(peak > 0, peak, 1)))
    return np.floor(integers / 2 ** (8 - bits)).astype(np.float32)
