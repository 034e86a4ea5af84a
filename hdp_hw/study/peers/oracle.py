"""The oracle: blocks by the softmax mass that they really hold, an upper bound of what a block rule can do."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.study.peers.cycles import array_cycles, dense_cycles
from hdp_hw.study.peers.method import Method, largest, logits, softmax


@dataclass(eq=False)
class Oracle(Method):
    """Per block row, keeps the fewest blocks that hold a share of the softmax mass; exact attention on them.

    Its decision costs nothing: it is told. Clock cycles are those of the array told likewise, at full precision.

    Parameters
    ----------
    params : HdpParams
        The array, whose tile is the block.
    mass : float
        Share that is kept at least, 0 up to 1; a block row keeps one block at least.
    compensate : bool
        One key stands in for the pruned ones of a query, at their mean score and with the mean of their values.
    """

    params: HdpParams
    mass: float = 0.9
    compensate: bool = False

    def __post_init__(self):
        self.require("mass", 0, 1, "0 up to, not including, 1")

    def __call__(self, layer, q, k, v):
        *_, n_heads, n, d = q.shape
        s = logits(q, k)
        blocks = self.blocks(softmax(s))
        kept = blocks.repeat(self.params.tile, -2).repeat(self.params.tile, -1)[..., :n, :n]
        n_timed = self.timed(layer, q)
        self.count(layer, q, kept, kept, decision=0, moved=2 * n + kept.any(-2).sum(-1))
        for of_text in blocks.reshape(-1, *blocks.shape[-3:])[:n_timed]:
            cycles, dense = array_cycles(of_text, n, d, self.params), dense_cycles(n_heads, n, d, self.params)
            self.work.add(layer, cycles=cycles / n_heads, dense_cycles=dense / n_heads)
        return compensated(s, kept, v) if self.compensate else softmax(s, kept) @ v

    def blocks(self, p):
        """Bool [..., blocks, blocks] of probabilities [..., n, n]."""
        tile = self.params.tile
        *batch, n, _ = p.shape
        edge = ceil_div(n, tile)
        padded = np.zeros((*batch, edge * tile, edge * tile), p.dtype)
        padded[..., :n, :n] = p
        mass = padded.reshape(*batch, edge, tile, edge, tile).sum((-3, -1))
        order = np.sort(mass, -1)[..., ::-1]
        before = np.cumsum(order, -1) - order  # what the larger ones hold together
        needed = (before < self.mass * mass.sum(-1, keepdims=True)).sum(-1, keepdims=True)
        return largest(mass, np.maximum(needed, 1))


def compensated(s, kept, v):
    """Attention over the kept elements and, per row, a key that weighs as many as were pruned."""
    n_pruned = (~kept).sum(-1, keepdims=True)
    mean = np.where(kept, 0, s).sum(-1, keepdims=True) / np.maximum(n_pruned, 1)
    with_mean = np.concatenate([np.where(kept, s, -np.inf), np.where(n_pruned > 0, mean, -np.inf)], -1)
    e = np.exp(with_mean - with_mean.max(-1, keepdims=True))
    e[..., -1:] *= n_pruned
    values = (~kept).astype(np.float32) @ v / np.maximum(n_pruned, 1)
    return (e[..., :-1] @ v + e[..., -1:] * values) / e.sum(-1, keepdims=True)
