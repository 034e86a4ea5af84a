"""HDP whose masks decide about tokens too: a token that few queries keep leaves the later layers."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.golden.bits.core.attention_core import attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.spec.settings import Verdict
from hdp_hw.study.peers.cost import OPERAND_BITS, addition
from hdp_hw.study.peers.hdp import Hdp


@dataclass(eq=False)
class LeavingHdp(Hdp):
    """HDP that removes tokens by the masks that it has anyway, for models that read the first token.

    A block of keys has a vote of each block row of each head that is not pruned and computes it. Where its votes are
    no more than a share of all, its tokens leave: nothing behind attention is computed for them in this layer, and they
    are neither keys nor queries in later ones. The first token always stays, and so do all where every head is pruned.
    A vote, beside the mask that it is read from, costs an addition.

    Parameters
    ----------
    votes : float
        The share, 0 to 1. With 0 those leave whom nobody keeps.
    """

    votes: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        self.require("votes", 0, 1, "0 up to, not including, 1")

    def begin(self, n_layers, n_heads, tokens):
        """Start a text: every token is there."""
        self.alive = None

    def __call__(self, layer, q, k, v):
        n_heads, n, d = q.shape
        there = np.arange(n) if self.alive is None else np.flatnonzero(self.alive)
        scales, settings = self.of_layer(layer, n_heads, len(there), d)
        operands = [quantize(x[:, there], absmax, self.params) for x, absmax in zip((q, k, v), scales)]
        results = attend_many(*operands, settings, self.params)
        context = np.zeros_like(q)
        context[:, there] = results.output * (scales[2] / self.params.digit_max)
        stay = there[staying(results, len(there), self.params.tile, self.votes)]
        self._count(layer, q, results, settings, projected=len(there), joined=len(stay), rows=len(stay))
        self.work.add(layer, decision=results.executed[0].size * addition(OPERAND_BITS))
        self.alive = np.isin(np.arange(n), stay)
        if self.masks is not None:  # over all tokens, as those of other methods
            mask = np.zeros((n_heads, n, n), bool)
            mask[np.ix_(range(n_heads), there, there)] = self.masks[-1]
            self.masks[-1] = mask
        return context


def staying(results, n, tile, votes):
    """Bool [n]: which tokens of HeadResults [n_heads] stay, see :class:`LeavingHdp`."""
    unpruned = results.executed[results.verdict != Verdict.PRUNED]
    share = unpruned.mean((0, 1)) if len(unpruned) else np.ones(results.executed.shape[-1])
    stay = (share > votes).repeat(tile)[:n]
    stay[0] = True
    return stay
