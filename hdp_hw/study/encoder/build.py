"""From an encoder of floats and its ranges to one of integers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.encoder import IntegerModel, Layer, Linear, Norm
from hdp_hw.encoder.jobs import PLAIN_FACTOR
from hdp_hw.spec.encoder import EPSILON_WIDTH, OPERAND_MAX, STREAM_FRACTION
from hdp_hw.study.encoder.equalise import fitted
from hdp_hw.study.encoder.heads import contexts
from hdp_hw.study.encoder.ranges import Ranges
from hdp_hw.study.encoder.units import (
    GAIN_MAX,
    WORD_MAX,
    Weights,
    activated,
    affine,
    least_units,
    quantised,
    to_operands,
    to_words,
)
from hdp_hw.study.models import Encoder

HEADROOM = 1.5  #: of words, over the largest magnitude that calibration saw
STREAM_MAX = (1 << 16) - 1
LARGEST_BETA = 127  #: in units of an operand, that a word with 8 fraction bits holds
PROJECTIONS = ("query", "key", "value")


@dataclass(frozen=True, eq=False)
class Built:
    """An IntegerModel with the units of its integers, by the names of the Encoder's modules.

    operands : units [k] of what each linear layer reads, and of the operands that modules write (``"0.value.results"``,
    ``"norm.results"``); words : unit of the words that each linear layer writes, before and behind its activation
    (``"0.inner.activation"``), and of the sum that each norm reads; residuals : of the residual behind each norm;
    sums : units [n_out] of each linear layer's sums.
    """

    model: IntegerModel
    operands: dict[str, np.ndarray]
    words: dict[str, float]
    residuals: dict[str, float]
    sums: dict[str, np.ndarray]
    jobs: dict[str, Linear | Norm]


@dataclass(eq=False)
class Builder:
    """Makes the jobs of an Encoder in their order; attention : of each layer, its scales and thresholds."""

    encoder: Encoder
    ranges: Ranges
    attention: Sequence[LayerSettings]
    operands: dict[str, np.ndarray] = field(default_factory=dict)
    words: dict[str, float] = field(default_factory=dict)
    residuals: dict[str, float] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    jobs: dict[str, Linear | Norm] = field(default_factory=dict)
    unit: float = 0.0  #: of the residual, where the work has come to

    def build(self) -> Built:
        """The Built. Raises ParameterError for a size that no job takes."""
        first, *others = self._norm_names()
        sums = self.ranges.sums
        largest = max(sums.values()) if self.encoder.layout.pre_norm else sums[first]
        embedding_unit = self.unit = HEADROOM * largest / WORD_MAX
        entry = self._norm(first, "0.query", None)
        layers = [self._layer(number, *others[2 * number :][:2]) for number in range(self.encoder.n_layers)]
        first_only = bool(self.encoder.n_labels)
        model = IntegerModel(entry, layers, self.encoder.n_heads, first_only, embedding_unit, self.unit)
        return Built(model, self.operands, self.words, self.residuals, self.sums, self.jobs)

    def _norm_names(self) -> list[str]:
        """Norms in the order in which they compute."""
        names = [f"{layer}.{norm}" for layer in range(self.encoder.n_layers) for norm in ("context_norm", "outer_norm")]
        return [*names, "norm"] if self.encoder.layout.pre_norm else ["norm", *names]

    def _layer(self, number: int, context_norm: str, outer_norm: str) -> Layer:
        name, settings = str(number), self.attention[number]
        head_dim = self.encoder.head_dim
        for part, absmax in (("query", settings.q_absmax), ("key", settings.k_absmax)):
            of_heads = np.broadcast_to(np.asarray(absmax, np.float64), (self.encoder.n_heads,))
            self.operands[f"{name}.{part}.results"] = of_heads.repeat(head_dim) / OPERAND_MAX
        value, context = f"{name}.value", f"{name}.context"
        rows, arriving = contexts(self.ranges.heads[number])
        units = fitted(self.ranges.outputs[value], self._weight(context), rows, arriving=arriving)
        self.operands[context] = self.operands[f"{value}.results"] = units
        for part in PROJECTIONS:
            module = f"{name}.{part}"
            self.operands[module] = self.operands[f"{name}.query"]
            self.jobs[module] = to_operands(self._weights(module), self.operands[f"{module}.results"])
        reader = f"{number + 1}.query" if number + 1 < self.encoder.n_layers else None
        behind_context = self._norm(context_norm, f"{name}.inner", context)
        self._inner(name)
        behind_outer = self._norm(outer_norm, reader, f"{name}.outer")
        linears = {part: self._linear(f"{name}.{part}") for part in (*PROJECTIONS, "context", "inner", "outer")}
        return Layer(**linears, attention=settings, context_norm=behind_context, outer_norm=behind_outer)

    def _inner(self, name: str) -> None:
        """The job with the activation."""
        outer = f"{name}.outer"
        asked = fitted(self.ranges.inputs[outer], self._weight(outer), self.ranges.rows[outer])
        argument = HEADROOM * float(self.ranges.outputs[f"{name}.inner"].max()) / WORD_MAX
        made = activated(self._weights(f"{name}.inner"), argument, self.encoder.activation, asked)
        self.jobs[f"{name}.inner"], self.operands[outer] = made.job, made.operands
        self.words[f"{name}.inner"], self.words[f"{name}.inner.activation"] = made.argument, made.words

    def _norm(self, name: str, reader: str | None, linear: str | None) -> Norm:
        """The Norm ``name`` with the linear layer, if any, that adds to the residual; reader : of its operands."""
        gamma, beta = self._tensors(name)
        a, b = self._streams(name, linear)
        n, pre_norm = len(gamma), self.encoder.layout.pre_norm
        epsilon = min(round(n * n * self.encoder.epsilon / self.unit**2), (1 << EPSILON_WIDTH) - 1)
        words = operands = None
        if reader:
            weights = [self._weight(reader)]
            if reader.endswith(".query"):
                weights = [self._weight(reader.replace("query", part)) for part in PROJECTIONS]
            seen = self.ranges.inputs[reader], self.ranges.rows[reader]
            least = np.maximum(np.abs(beta) / LARGEST_BETA, PLAIN_FACTOR * least_units(gamma))
            units = fitted(seen[0], np.concatenate(weights), seen[1], least)
            self.operands[reader] = self.operands[f"{name}.results"] = units
            operands = affine(gamma, beta, self.operands[reader] / PLAIN_FACTOR)
        if not pre_norm or not reader:
            largest = max(float(self.ranges.normals[name].max()), float(np.abs(beta).max()))
            self.unit = max(HEADROOM * largest / WORD_MAX, float(least_units(gamma).max()))
            words = affine(gamma, beta, np.full(n, self.unit))
        self.residuals[name] = self.unit
        job = self.jobs[name] = Norm(words, operands, a, b, epsilon)
        return job

    def _streams(self, name: str, linear: str | None) -> tuple[int, int]:
        """Factors of the residual and of a linear layer's words, whose job this makes; sets the unit of the sum."""
        one = 1 << STREAM_FRACTION
        if linear is None:
            self.words[name] = self.unit
            return one, 0
        weights, a = self._weights(linear), one
        wanted = HEADROOM * float(self.ranges.outputs[linear].max()) / WORD_MAX
        wanted = max(wanted, float(weights.units.max()) / GAIN_MAX)
        if not self.encoder.layout.pre_norm:
            least = max(HEADROOM * self.ranges.sums[name] / WORD_MAX, wanted / 1.99, self.unit / 1.99)
            a = max(1, math.floor(self.unit * one / least))
            self.unit *= one / a
        b = min(max(1, math.ceil(wanted * one / self.unit)), STREAM_MAX)
        self.words[name], self.words[linear] = self.unit, b * self.unit / one
        self.jobs[linear] = to_words(weights, self.words[linear])
        return a, b

    def _linear(self, name: str) -> Linear:
        job = self.jobs[name]
        assert isinstance(job, Linear)
        return job

    def _weights(self, name: str) -> Weights:
        """A linear layer in integers, whose operands have their units by now."""
        units = self.operands[name]
        layer, _, part = name.partition(".")
        reader = f"{layer}.query" if part in PROJECTIONS else name
        weights = quantised(*self._tensors(name), units, self.ranges.products[reader] / np.outer(units, units))
        self.sums[name] = weights.units
        return weights

    def _weight(self, name: str) -> np.ndarray:
        return self.encoder.tensors[f"{name}.weight"]

    def _tensors(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self._weight(name), self.encoder.tensors[f"{name}.bias"]
