"""SpAtten (Wang et al., HPCA 2021): cascade pruning of tokens and heads, and local pruning of values."""

from dataclasses import dataclass

import numpy as np

from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.peers.cost import addition, selecting
from hdp_hw.study.peers.cycles import dense_cycles
from hdp_hw.study.peers.method import Method, largest, logits, softmax

FIRST_TOKENS, FIRST_HEADS = 0.15, 0.3  #: share of the layers, the first ones, that prune no token, no head


@dataclass(eq=False)
class SpAtten(Method):
    """Tokens and heads that got little attention so far are removed, for all later layers.

    A token's score is the probability that it has received, summed over heads, queries and layers; a head's the sum of
    the magnitudes of its output. Before a layer the best tokens and heads stay, ``floor(n * (1 - ratio))`` of all
    there were; the first token ([CLS]) always stays. Ratios rise linearly over the layers that prune, from
    ``average * (1 - slope)`` to ``average * (1 + slope)``. At least the first layer prunes nothing. A removed token is
    no key and no query any more. Linear layers are spared what is removed, which is counted apart. Who is no token of
    the next layer is known once attention is computed, so what follows it in this layer is spared, too.

    Parameters
    ----------
    tokens, heads : float
        Average ratio of tokens and of heads over the layers that prune them, 0 to 1.
    values : float
        Share of a query's values that is pruned, those of its smallest probabilities; no renormalisation. 0 to 1.
    slope : float
        0 to 1.
    drop : bool
        Removed tokens are no part of what the model makes of all tokens at its end (``alive``). Otherwise attention
        alone is without them, and linear layers are spared none. Where the first token is all that is used, as in most
        classifiers, this makes no other difference; where the tokens' mean is, keeping them loses less.
    params : HdpParams
        An array whose clock cycles are counted, if any: a shorter text and fewer heads, computed in full. It cannot
        prune single values.
    """

    tokens: float = 0.0
    heads: float = 0.0
    values: float = 0.0
    slope: float = 0.5
    drop: bool = True
    params: HdpParams | None = None

    def __post_init__(self):
        self.require("slope", 0, np.nextafter(1, 2), "0 to 1")
        self.require("values", 0, 1, "0 up to, not including, 1")
        for name in ("tokens", "heads"):
            average = getattr(self, name)
            if average < 0 or average * (1 + self.slope) >= 1:
                raise ParameterError(name, average, f"0 up to, not including, 1 / (1 + slope) = {1 / (1 + self.slope)}")

    def begin(self, n_layers, n_heads, tokens):
        """Start a text of a model; the number of its tokens follows from the first layer."""
        self._ratios = ratios(self.tokens, self.slope, FIRST_TOKENS, n_layers)
        self._head_ratios = ratios(self.heads, self.slope, FIRST_HEADS, n_layers)

    def __call__(self, layer, q, k, v):
        if layer == 0:
            self._alive_heads, self._alive_tokens = (np.ones(n, bool) for n in q.shape[:2])
            self._head_scores, self._token_scores = (np.zeros(n) for n in q.shape[:2])
        tokens = self._alive_tokens = self._tokens_of(layer)
        self.alive = tokens if self.drop else None
        self._alive_heads = survivors(self._head_scores, self._alive_heads, self._head_ratios[layer])
        scored = self._alive_heads[:, None, None] & tokens[:, None] & tokens
        p = softmax(logits(q, k), scored)
        n_tokens, n_alive = int(tokens.sum()), int(self._alive_heads.sum())
        kept = scored
        if self.values:
            kept = scored & largest(np.where(scored, p, -1), max(1, int(n_tokens * (1 - self.values))))
        context = np.where(kept, p, np.float32(0)) @ v
        self._token_scores += p.sum((0, 1))
        self._head_scores += np.abs(context).sum((1, 2))
        self._count(layer, q, scored, kept, n_tokens, n_alive)
        return context

    def _tokens_of(self, layer):
        """Bool: the tokens that the scores so far leave to a layer; the last one's are those of the model."""
        first = np.arange(len(self._token_scores)) == 0
        ratio = self._ratios[layer] if layer < len(self._ratios) else 0
        return survivors(np.where(first, np.inf, self._token_scores), self._alive_tokens, ratio)

    def _count(self, layer, q, scored, kept, n_tokens, n_alive):
        n_heads, n, d = q.shape
        decision = np.zeros(n_heads)
        if self.tokens:
            decision += (self._alive_heads * n_tokens**2 * addition()) + selecting(n_tokens) / n_heads
        if self.heads:
            decision += self._alive_heads * n_tokens * d * addition() + selecting(n_alive) / n_heads
        if self.values:
            decision += self._alive_heads * n_tokens * selecting(n_tokens)
        projected, rows = (n_tokens, int(self._tokens_of(layer + 1).sum())) if self.drop else (n, n)
        more = dict(rows=rows, joined=rows * self._alive_heads, projected=projected * self._alive_heads)
        more |= dict(weights=self._alive_heads, pruned_heads=~self._alive_heads)
        if self.params and not self.values and self.timed(layer, q):
            more["cycles"] = dense_cycles(n_alive, n_tokens, d, self.params) / n_heads
            more["dense_cycles"] = dense_cycles(n_heads, n, d, self.params) / n_heads
        self.count(layer, q, scored, kept, decision, moved=3 * n_tokens * self._alive_heads, **more)


def ratios(average, slope, first, n_layers):
    """Ratio of each layer: 0 for the first ones, the ``first`` share, one at least; then rising, or the average."""
    n_first = min(n_layers, max(1, round(first * n_layers)))
    n_pruning = n_layers - n_first
    slopes = np.linspace(-slope, slope, n_pruning) if n_pruning > 1 else np.zeros(n_pruning)
    return np.concatenate([np.zeros(n_first), average * (1 + slopes)])


def survivors(scores, alive, ratio):
    """Bool: the best of those ``alive``, at most ``floor(n * (1 - ratio))`` of all n, at least one."""
    n = max(1, int(np.floor(len(scores) * (1 - ratio))))
    return alive & largest(np.where(alive, scores, -np.inf), min(n, int(alive.sum())))
