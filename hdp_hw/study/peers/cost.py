"""What attention costs: one model for HDP and every peer.

The unit of work is one multiply-accumulate of two 8-bit operands.

- A multiply-accumulate of a x b bits costs a * b / 64, the partial-product bits that an array multiplier adds up.
  Measured energies agree: Horowitz (ISSCC 2014) gives 0.2 pJ for a multiplication of 8 bits, 3.1 pJ for 32 bits.
- An addition, subtraction or comparison of b bits is one row of such bits: b / 64.
- An exponential is a polynomial of second order: two multiply-accumulates.
- Sorting n values takes n log2(n) comparisons, selecting the largest of them 3 n (quickselect's mean).
- Memory traffic counts operands and outputs, in bytes at the width of each; row maxima, masks and sums stay inside.

Counted are QK^T, PV and all that the decision takes. Softmax itself is counted for nobody: dense attention has it too.
Of linear layers this counts which positions they compute; :mod:`hdp_hw.study.peers.model_work` makes work of it.
"""

from math import log2

import numpy as np

OPERAND_BITS = 8  #: of Q, K, V and weights, where a method says nothing else
SUM_BITS = 16  #: of probabilities and scores that a decision adds up or compares
EXPONENTIAL = 2.0  #: an exponential, in units of work

#: What is counted, for each layer and head, summed over texts.
COUNTS = (
    "texts",  # how often the head was there to be computed
    "dense_macs",  # multiply-accumulates of QK^T and PV over all pairs of tokens
    "macs",  # those that were done, at whatever precision
    "dense_cost",  # units of work of the former
    "cost",  # units of work of the latter
    "decision",  # units of work of the decision
    "dense_bytes",  # to and from memory
    "bytes",
    "pruned_heads",  # how often the head was pruned whole
    "dense_rows",  # positions of the text, which linear layers compute without pruning
    "projected",  # those whose Q, K and V are computed for the head
    "joined",  # those whose output projection is computed from the head
    "rows",  # those whose feed-forward network is computed
    "weights",  # how often the head's weights in the projections are read
    "spared",  # positions whose V and output projection the head does not need, though they are computed
    "dense_cycles",  # of the array, spread over the heads of a layer; 0 where it cannot execute the masks
    "cycles",
)


def multiplication(a_bits, b_bits=OPERAND_BITS):
    """Work of a multiply-accumulate of ``a_bits`` x ``b_bits``."""
    return a_bits * b_bits / 64


def addition(bits=SUM_BITS):
    """Work of an addition, subtraction or comparison."""
    return bits / 64


def sorting(n, bits=SUM_BITS):
    """Work of sorting ``n`` values."""
    return n * log2(max(n, 2)) * addition(bits)


def selecting(n, bits=SUM_BITS):
    """Work of finding the largest of ``n`` values, however many of them."""
    return 3 * n * addition(bits)


class Work:
    """What a method did: counts of each layer and head, summed over texts."""

    def __init__(self):
        self.layers = []

    @classmethod
    def from_lists(cls, lists):
        """Of what :meth:`to_lists` gave."""
        work = cls()
        for layer in range(len(lists["texts"])):
            work.add(layer, **{name: np.array(rows[layer], np.float64) for name, rows in lists.items()})
        return work

    def to_lists(self):
        """The counts as JSON has them."""
        return {name: array.tolist() for name, array in self.counts.items()}

    def add(self, layer, **counts):
        """Add counts of one layer, [n_heads] or the same for each head; ``texts`` is an array."""
        while len(self.layers) <= layer:
            self.layers.append(dict.fromkeys(COUNTS, 0.0))
        for name, more in counts.items():
            self.layers[layer][name] = self.layers[layer][name] + more

    @property
    def counts(self):
        """``{name: float64 [n_layers, n_heads]}``, see COUNTS."""
        n_heads = len(self.layers[0]["texts"])
        return {name: np.stack([np.full(n_heads, layer[name]) for layer in self.layers]) for name in COUNTS}

    def texts(self, layer):
        """Texts that went through a layer."""
        return int(np.max(self.layers[layer]["texts"])) if layer < len(self.layers) else 0

    @property
    def pruned_share(self):
        """Multiply-accumulates of QK^T and PV that were avoided, whatever their precision."""
        return self._saved("macs", "dense_macs")

    @property
    def net_saving(self):
        """Work avoided, the decision's own subtracted; below 0 where deciding costs more than it saves."""
        return self._saved("cost", "dense_cost") - self._total("decision") / self._total("dense_cost")

    @property
    def byte_saving(self):
        """Memory traffic avoided."""
        return self._saved("bytes", "dense_bytes")

    @property
    def pruned_heads(self):
        """Share of the heads that were pruned whole."""
        return self._total("pruned_heads") / self._total("texts")

    @property
    def cycles(self):
        """``(cycles, dense cycles)`` on the array, or None where it cannot execute the masks."""
        dense = round(self._total("dense_cycles"))
        return (round(self._total("cycles")), dense) if dense else None

    def share(self, done, of):
        """[n_layers, n_heads]: one count over another."""
        return self.counts[done] / self.counts[of]

    def _total(self, name):
        return float(self.counts[name].sum())

    def _saved(self, done, dense):
        return 1 - self._total(done) / self._total(dense)
