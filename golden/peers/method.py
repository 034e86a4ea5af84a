"""What every attention method has in common, HDP and its peers."""

from dataclasses import fields

import numpy as np

from golden.peers.cost import Work
from hdp_hw.params import ParameterError


class Method:
    """An attention method: a dataclass whose fields are its parameters.

    ``begin`` goes before each text, then a call for each layer, as :class:`golden.models.Encoder` makes it. Unless a
    peer says otherwise its arithmetic is float32, and counted as that of 8-bit operands: what quantisation would lose
    is not held against it.

    work : Work of all texts since the first.
    timed_texts : clock cycles, which take long to predict, are counted for so many texts; None for all.
    masks : if set to a list, every call appends its bool [n_heads, n_q, n_k], the elements that took part in PV.
    alive : bool [tokens], those that a token pruner has left; None where all are.
    """

    work = None
    timed_texts = None
    masks = None
    alive = None

    def begin(self, n_layers, n_heads, tokens):
        """Start a text or image: ``tokens`` are what the model takes of it."""
        if self.work is None:
            self.work = Work(n_layers, n_heads)
        self.timed = self.timed_texts is None or self.work.texts < self.timed_texts

    def __call__(self, layer, q, k, v):
        """Context [n_heads, n, head_dim] of q, k, v [n_heads, n, head_dim], real numbers."""
        raise NotImplementedError

    @property
    def parameters(self):
        """``{name: value}`` of the parameters, without the model's and the array's."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("params", "scales")
        }

    def require(self, name, low, high, legal):
        """Raise ParameterError unless ``low`` <= the parameter < ``high``."""
        if not low <= getattr(self, name) < high:
            raise ParameterError(name, getattr(self, name), legal)

    def count(self, layer, q, scored, kept, decision, rows, **more):
        """Count what a layer did.

        scored, kept : bool [n_heads, n_q, n_k], the elements that were scored exactly, and that took part in PV.
        decision : its work, a number or [n_heads]. rows : of Q, K and O together, on their way from or to memory, a
        number or [n_heads], in rows of 8-bit operands; those of V follow from ``kept``. more : further counts.
        """
        _, n, d = q.shape
        macs = d * (scored.sum((1, 2)) + kept.sum((1, 2)))
        counts = dict(macs=macs, cost=macs, decision=decision, bytes=d * (rows + kept.any(1).sum(1)))
        self.work.add(layer, **dense_counts(n, d) | counts | more)
        if self.masks is not None:
            self.masks.append(kept)


def dense_counts(n, d):
    """Counts of a head that nothing is pruned of, as far as these do not depend on the method."""
    macs = 2 * n * n * d
    return dict(texts=1, dense_macs=macs, dense_cost=macs, dense_bytes=4 * n * d, linear=1, dense_linear=1)


def logits(q, k):
    """QK^T / sqrt(d): [n_heads, n, d] -> [n_heads, n, n]."""
    return q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))


def softmax(s, kept=True):
    """Softmax over the ``kept`` elements of each row, the others weigh 0; so does all of a row that keeps none."""
    s = np.where(kept, s, -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


def largest(values, n):
    """Bool of the same shape: the ``n`` largest along the last axis, the first of equals."""
    order = np.argsort(-values, -1, kind="stable")
    chosen = np.zeros(values.shape, bool)
    np.put_along_axis(chosen, order[..., :n], True, -1)
    return chosen
