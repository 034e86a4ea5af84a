"""What each step from floats to integers costs: an encoder of floats in which some of the numbers are rounded."""

from collections.abc import Collection
from typing import Any

import numpy as np

from hdp_hw.encoder import Linear, Norm
from hdp_hw.encoder.jobs import PLAIN_FACTOR
from hdp_hw.golden.bits.core.attention_core import attend_many
from hdp_hw.golden.bits.encoder.epilogue import activate
from hdp_hw.golden.bits.encoder.norm import normalise
from hdp_hw.spec.encoder import OPERAND_MAX
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.encoder.build import Built
from hdp_hw.study.encoder.equalise import rounded
from hdp_hw.study.encoder.units import WORD_MAX
from hdp_hw.study.models import Encoder

STEPS = {
    "weights": "weights of 8 bits",
    "operands": "inputs of linear layers of 8 bits",
    "attention": "attention in integers",
    "words": "residual, results of linear layers, activation and normalisation of 16 bits",
}


class Stepped(Encoder):
    """An Encoder of floats that rounds what ``steps`` names, to the integers of a Built."""

    def __init__(self, encoder: Encoder, built: Built, params: HdpParams, steps: Collection[str]) -> None:
        vars(self).update(vars(encoder))
        self.built, self.params, self.steps = built, params, steps
        self.weights = self.tensors
        if "weights" in steps:
            self.weights = dict(self.tensors)
            for name, unit in built.sums.items():
                job, units = built.jobs[name], built.operands[name]
                assert isinstance(job, Linear)
                self.weights[f"{name}.weight"] = (job.weight * unit[:, None] / units).astype(np.float32)

    def __call__(self, inputs: Any, attention: None = None) -> np.ndarray:
        return super().__call__(inputs, self._integer_attention if "attention" in self.steps else None)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        if name not in self.built.jobs:
            return super()._linear(name, x)
        if "operands" in self.steps:
            x = rounded(x, self.built.operands[name]).astype(np.float32)
        y = x @ self.weights[f"{name}.weight"].T + self.tensors[f"{name}.bias"]
        return rounded(y, self.built.words[name], WORD_MAX).astype(np.float32) if self._has_words(name) else y

    def _inner(self, layer: int, x: np.ndarray) -> np.ndarray:
        name = f"{layer}.inner"
        y, job = self._linear(name, x), self.built.jobs[name]
        if self._has_words(name) and isinstance(job, Linear):
            words = np.rint(y / self.built.words[name]).astype(np.int64)
            unit = self.built.words[f"{name}.activation"]
            y = (activate(words, job.activation, job.table) * unit).astype(np.float32)
        else:
            y = self.activation(y)
        return self._linear(f"{layer}.outer", y)

    def _has_words(self, name: str) -> bool:
        return "words" in self.steps and name in self.built.words

    def _normalise(self, name: str, x: np.ndarray) -> np.ndarray:
        job = self.built.jobs[name]
        if "words" not in self.steps or not isinstance(job, Norm):
            return super()._normalise(name, x)
        words = np.clip(np.rint(x / self.built.words[name]), -WORD_MAX, WORD_MAX).astype(np.int64)
        normal = normalise(words, job.epsilon, job.rms)
        if job.words is not None:
            return (job.words(normal) * self.built.residuals[name]).astype(np.float32)
        assert job.operands is not None
        return (job.operands(normal) * self.built.operands[f"{name}.results"] / PLAIN_FACTOR).astype(np.float32)

    def _integer_attention(self, layer: int, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        settings = self.built.model.layers[layer].attention
        batched = [x if x.ndim == 4 else x[None] for x in (q, k, v)]
        _, n_heads, n, head_dim = batched[0].shape
        units = [self.built.operands[f"{layer}.{part}.results"] for part in ("query", "key", "value")]
        units = [unit.reshape(n_heads, 1, head_dim) for unit in units]
        operands = [
            np.clip(np.rint(x / unit), -OPERAND_MAX, OPERAND_MAX).astype(np.int64) for x, unit in zip(batched, units)
        ]
        heads = settings.head_settings(n_heads, n_heads, n, n, head_dim, self.params)
        context = attend_many(*operands, heads, self.params).output * units[2]
        return context.astype(np.float32).reshape(q.shape)
