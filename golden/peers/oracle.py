"""The oracle: blocks by the softmax mass that they really hold, an upper bound of what a block rule can do."""

from dataclasses import dataclass

import numpy as np

from golden.peers.cycles import array_cycles, dense_cycles
from golden.peers.method import Method, largest, logits, softmax
from golden.pruning.geometry import tiles_of
from hdp_hw.params import HdpParams, ceil_div


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
        n_heads, n, d = q.shape
        s = logits(q, k)
        blocks = np.stack([self._blocks(p) for p in softmax(s)])
        kept = np.repeat(np.repeat(blocks, self.params.tile, 1), self.params.tile, 2)[:, :n, :n]
        self.count(layer, q, kept, kept, decision=0, rows=2 * n + kept.any(1).sum(1))
        if self.timed:
            cycles, dense = array_cycles(blocks, n, d, self.params), dense_cycles(n_heads, n, d, self.params)
            self.work.add(layer, cycles=cycles / n_heads, dense_cycles=dense / n_heads)
        return compensated(s, kept, v) if self.compensate else softmax(s, kept) @ v

    def _blocks(self, p):
        """Bool [blocks_q, blocks_k] of one head's probabilities."""
        tile = self.params.tile
        padded = np.zeros([ceil_div(n, tile) * tile for n in p.shape], p.dtype)
        padded[: p.shape[0], : p.shape[1]] = p
        mass = tiles_of(padded, tile).sum((-2, -1))
        order = np.sort(mass, 1)[:, ::-1]
        before = np.cumsum(order, 1) - order  # what the larger ones hold together
        needed = (before < self.mass * mass.sum(1, keepdims=True)).sum(1)
        return np.stack([largest(row, max(count, 1)) for row, count in zip(mass, needed)])


def compensated(s, kept, v):
    """Attention over the kept elements and, per row, a key that weighs as many as were pruned."""
    n_pruned = (~kept).sum(-1, keepdims=True)
    mean = np.where(kept, 0, s).sum(-1, keepdims=True) / np.maximum(n_pruned, 1)
    with_mean = np.concatenate([np.where(kept, s, -np.inf), np.where(n_pruned > 0, mean, -np.inf)], -1)
    e = np.exp(with_mean - with_mean.max(-1, keepdims=True))
    e[..., -1:] *= n_pruned
    values = (~kept).astype(np.float32) @ v / np.maximum(n_pruned, 1)
    return (e[..., :-1] @ v + e[..., -1:] * values) / e.sum(-1, keepdims=True)
