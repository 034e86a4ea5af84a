"""A model as a task uses it: inputs in, an output each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from hdp_hw.study.models.encoder import Encoder
from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.threads import threads

BATCH = 1024  #: tokens of a batch, so that what a layer computes stays near the processor


@dataclass(frozen=True, eq=False)
class Model:
    """An encoder with what comes before and after it.

    prepare : ``f(example, max_tokens) -> input of the encoder``: token ids of a text or of a pair of them, or an image.
    names : ``f(input) -> [str]``, of its positions.
    labels : names of the classes, one for a regression; without a classifier there are none, and an output is an
    embedding.
    """

    name: str
    encoder: Encoder
    prepare: Callable[[Any, int], Any]
    names: Callable[[Any], list[str]]
    labels: tuple[str, ...] = ()

    def read(self, examples: Iterable[Any], max_tokens: int | None = None) -> list[Any]:
        """Inputs of ``examples``, cut to ``max_tokens`` or to what the model takes."""
        limit = min(max_tokens or self.encoder.max_seq_len, self.encoder.max_seq_len)
        return [self.prepare(example, limit) for example in examples]

    def run(
        self,
        inputs: Sequence[Any],
        attention: Any = None,
        jobs: int = 1,
        progress: Callable[[int], None] = lambda done: None,
    ) -> np.ndarray:
        """Outputs [n_inputs, ...] float32: logits of the classes, or embeddings of length 1.

        Inputs of one length share a batch. A stateful ``attention`` has a method ``begin(n_layers, n_heads, tokens)``:
        it is called before each input, which then goes alone, without the axis of the batch.
        jobs : batches at a time; progress : called with the number of inputs done, after each batch.
        Raises ModelError for an output that is not finite.
        """
        batches = list(self._batches(inputs, single=hasattr(attention, "begin")))
        with threads(jobs) as pool:
            rows: dict[int, np.ndarray] = {}
            done = 0
            for batch, outputs in zip(batches, pool.map(lambda batch: self._batch(inputs, batch, attention), batches)):
                if not np.isfinite(outputs).all():
                    raise ModelError(f"{self.name}: an output is not finite; numbers on the way overflow float32")
                rows |= zip(batch, outputs)
                done += len(batch)
                progress(done)
        return np.stack([rows[index] for index in range(len(inputs))])

    def outputs(self, hidden: np.ndarray, alive: np.ndarray | None = None) -> np.ndarray:
        """Outputs of hidden states [..., seq_len, hidden_size]; an embedding is the mean of the positions ``alive``."""
        if self.encoder.n_labels:
            return self.encoder.classify(hidden[..., 0, :])
        mean = (hidden if alive is None else hidden[..., alive, :]).mean(-2)
        return mean / np.linalg.norm(mean, axis=-1, keepdims=True)

    def _batch(self, inputs: Sequence[Any], batch: list[int], attention: Any) -> np.ndarray:
        with np.errstate(all="ignore"):  # what is not finite shows in the outputs
            return self._outputs_of(inputs, batch, attention)

    def _outputs_of(self, inputs: Sequence[Any], batch: list[int], attention: Any) -> np.ndarray:
        if not hasattr(attention, "begin"):
            return self.outputs(self.encoder(np.stack([inputs[index] for index in batch]), attention))
        (index,) = batch
        attention.begin(self.encoder.n_layers, self.encoder.n_heads, inputs[index])
        hidden = self.encoder(inputs[index], attention)
        return self.outputs(hidden, getattr(attention, "alive", None))[None]

    def _batches(self, inputs: Sequence[Any], single: bool) -> Iterator[list[int]]:
        """Lists of indices of inputs of one length, longest first."""
        lengths = [self.encoder.seq_len(each) for each in inputs]
        for n, group in groupby(sorted(range(len(inputs)), key=lengths.__getitem__, reverse=True), lengths.__getitem__):
            indices, size = list(group), 1 if single else max(1, BATCH // n)
            yield from (indices[start : start + size] for start in range(0, len(indices), size))
