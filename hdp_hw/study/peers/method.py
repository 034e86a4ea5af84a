"""What every attention method has in common, HDP and its peers."""

from dataclasses import fields

import numpy as np

from hdp_hw.spec.params import ParameterError
from hdp_hw.study.peers.cost import Work


class Method:
    """An attention method: a dataclass whose fields are its parameters.

    It is called for each layer, as :class:`hdp_hw.study.models.Encoder` does, with one text or with several of one
    length. One that keeps something from layer to layer takes one text at a time, before which ``begin(n_layers,
    n_heads, tokens)`` is called. Unless a peer says otherwise its arithmetic is float32, and counted as that of 8-bit
    operands: what quantisation would lose is not held against it.

    work : Work of all texts since the first.
    timed_texts : clock cycles, which take long to predict, are counted for so many texts; None for all.
    masks : if set to a list, every call appends its bool [..., n_heads, n, n], the elements that took part in PV.
    alive : bool [tokens], those that a token pruner has left; None where all are.
    """

    work = None
    timed_texts = None
    masks = None
    alive = None

    def __call__(self, layer, q, k, v):
        """Context [..., n_heads, n, head_dim] of q, k, v [..., n_heads, n, head_dim], real numbers."""
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

    def count(self, layer, q, scored, kept, decision, moved, **more):
        """Count what a layer did, beside :meth:`add`.

        scored, kept : bool [..., n_heads, n, n], the elements that were scored exactly, and that took part in PV.
        decision : its work. moved : of Q, K and O together, from or to memory, in rows of 8-bit operands;
        those of V follow from ``kept``. more : further counts. All of a head, or [..., n_heads].
        """
        d = q.shape[-1]
        macs = d * (scored.sum((-2, -1)) + kept.sum((-2, -1)))
        counts = dict(macs=macs, cost=macs, decision=decision, bytes=d * (moved + kept.any(-2).sum(-1)))
        self.add(layer, q, kept, **counts, **more)

    def add(self, layer, q, kept, **counts):
        """Add counts of a layer, numbers or [..., n_heads], to the work, what dense attention takes beside them."""
        if self.work is None:
            self.work = Work()
        *_, n, d = q.shape
        macs = 2 * n * n * d
        dense = dict(texts=1, dense_macs=macs, dense_cost=macs, dense_bytes=4 * n * d, dense_rows=n)
        dense |= dict(projected=n, joined=n, rows=n, weights=1)
        of_heads = {name: np.broadcast_to(value, q.shape[:-2]) for name, value in (dense | counts).items()}
        self.work.add(layer, **{name: value.reshape(-1, q.shape[-3]).sum(0) for name, value in of_heads.items()})
        if self.masks is not None:
            self.masks.append(kept)

    def timed(self, layer, q):
        """How many of the texts of this call, the first ones, have their clock cycles counted; ask before ``count``."""
        n_texts = int(np.prod(q.shape[:-3]))
        if self.timed_texts is None:
            return n_texts
        done = self.work.texts(layer) if self.work else 0
        return max(0, min(n_texts, self.timed_texts - done))


def logits(q, k):
    """QK^T / sqrt(d): [..., n, d] -> [..., n, n]."""
    return q @ k.swapaxes(-1, -2) / np.float32(np.sqrt(q.shape[-1]))


def softmax(s, kept=True):
    """Softmax over the ``kept`` elements of each row, the others weigh 0; so does all of a row that keeps none."""
    s = np.where(kept, s, -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))
    total = e.sum(-1, keepdims=True)
    return e / np.where(total > 0, total, 1)


def largest(values, n):
    """Bool of the same shape: the ``n`` largest along the last axis, the first of equals; n as a number or [..., 1]."""
    order = np.argsort(-values, -1, kind="stable")
    chosen = np.zeros(values.shape, bool)
    np.put_along_axis(chosen, order, np.broadcast_to(np.arange(values.shape[-1]) < n, values.shape), -1)
    return chosen
