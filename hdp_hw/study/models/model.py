"""A model as a task uses it: inputs in, an output each."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from hdp_hw.study.models.encoder import Encoder

BATCH = 1024  #: tokens of a batch, so that what a layer computes stays near the processor


@dataclass(frozen=True, eq=False)
class Model:
    """An encoder with what comes before and after it.

    prepare : ``f(example, max_tokens) -> input of the encoder``: token ids of a text, or an image.
    names : ``f(input) -> [str]``, of its positions.
    labels : names of the classes; without a classifier there are none, and an output is an embedding.
    """

    name: str
    encoder: Encoder
    prepare: object
    names: object
    labels: tuple = ()

    def read(self, examples, max_tokens=None):
        """Inputs of ``examples``, cut to ``max_tokens`` or to what the model takes."""
        limit = min(max_tokens or self.encoder.max_seq_len, self.encoder.max_seq_len)
        return [self.prepare(example, limit) for example in examples]

    def run(self, inputs, attention=None, jobs=1, progress=lambda done: None):
        """Outputs [n_inputs, ...] float32: logits of the classes, or embeddings of length 1.

        Inputs of one length share a batch. A stateful ``attention`` has a method ``begin(n_layers, n_heads, tokens)``:
        it is called before each input, which then goes alone, without the axis of the batch.
        jobs : batches at a time; progress : called with the number of inputs done, after each batch.
        """
        batches = list(self._batches(inputs, single=hasattr(attention, "begin")))
        with ThreadPoolExecutor(jobs) as pool:
            rows, done = {}, 0
            for batch, outputs in zip(batches, pool.map(lambda batch: self._batch(inputs, batch, attention), batches)):
                rows |= zip(batch, outputs)
                done += len(batch)
                progress(done)
        return np.stack([rows[index] for index in range(len(inputs))])

    def outputs(self, hidden, alive=None):
        """Outputs of hidden states [..., seq_len, hidden_size]; an embedding is the mean of the positions ``alive``."""
        if self.encoder.n_labels:
            return self.encoder.classify(hidden[..., 0, :])
        mean = (hidden if alive is None else hidden[..., alive, :]).mean(-2)
        return mean / np.linalg.norm(mean, axis=-1, keepdims=True)

    def _batch(self, inputs, batch, attention):
        if not hasattr(attention, "begin"):
            return self.outputs(self.encoder(np.stack([inputs[index] for index in batch]), attention))
        (index,) = batch
        attention.begin(self.encoder.n_layers, self.encoder.n_heads, inputs[index])
        hidden = self.encoder(inputs[index], attention)
        return self.outputs(hidden, getattr(attention, "alive", None))[None]

    def _batches(self, inputs, single):
        """Lists of indices of inputs of one length, longest first."""
        lengths = [self.encoder.seq_len(each) for each in inputs]
        for n, group in groupby(sorted(range(len(inputs)), key=lengths.__getitem__, reverse=True), lengths.__getitem__):
            indices, size = list(group), 1 if single else max(1, BATCH // n)
            yield from (indices[start : start + size] for start in range(0, len(indices), size))
