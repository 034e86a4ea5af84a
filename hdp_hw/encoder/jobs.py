"""Jobs that compute beside attention: their parameters, and what they do to rows."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hdp_hw.driver.norm_job import NormJob
from hdp_hw.golden.bits.encoder.epilogue import activate, operands, words
from hdp_hw.golden.bits.encoder.linear import linear
from hdp_hw.golden.bits.encoder.linear_head import packed
from hdp_hw.golden.bits.encoder.norm import normalise, residual, scale
from hdp_hw.golden.bits.encoder.rounding import operand
from hdp_hw.spec.encoder import (
    BIAS_WIDTH,
    EPSILON_WIDTH,
    GAMMA_SHIFT_MAX,
    GAMMA_SHIFT_MIN,
    GAMMA_WIDTH,
    MAX_FEATURES,
    MAX_INPUTS,
    MULT_WIDTH,
    OPERAND_FRACTION,
    OPERAND_MAX,
    SEGMENT_BITS,
    SHIFT_MAX,
    WORD_WIDTH,
    Activation,
)
from hdp_hw.spec.params import ParameterError

PLAIN_FACTOR = 1 << OPERAND_FRACTION  #: of a channel whose words have OPERAND_FRACTION fraction bits


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear layer with its epilogue, as docs/numerics.md defines it.

    weight : operands [n_out, k]; bias : s27 [n_out]; mult : u16 [n_out]; shift : 0 to 15 [n_out].
    activation, table : of the words; table : s16 [2^SEGMENT_BITS, 2].
    factor : u16 [n_out], from words to operands; None where the job's results are words.
    Raises ParameterError.
    """

    weight: np.ndarray
    bias: np.ndarray
    mult: np.ndarray
    shift: np.ndarray
    activation: Activation = Activation.NONE
    table: np.ndarray | None = None
    factor: np.ndarray | None = None

    def __post_init__(self) -> None:
        n_out, k = self.weight.shape
        if not 1 <= k <= MAX_INPUTS:
            raise ParameterError("inputs of a linear layer", k, f"1 to {MAX_INPUTS}")
        _check("weight", self.weight, (n_out, k), -OPERAND_MAX, OPERAND_MAX)
        _check("bias", self.bias, (n_out,), *_signed(BIAS_WIDTH))
        _check("mult", self.mult, (n_out,), 0, (1 << MULT_WIDTH) - 1)
        _check("shift", self.shift, (n_out,), 0, SHIFT_MAX)
        if self.factor is not None:
            _check("factor", self.factor, (n_out,), 0, (1 << MULT_WIDTH) - 1)
        if (self.table is not None) != (self.activation == Activation.TABLE):
            raise ParameterError("table", self.table, "one with activation TABLE, and only there")
        if self.table is not None:
            _check("table", self.table, (1 << SEGMENT_BITS, 2), *_signed(WORD_WIDTH))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Words or operands [..., n_out] of operands [..., k]."""
        y = activate(words(linear(x, self._columns, self.bias), self.mult, self.shift), self.activation, self.table)
        return y if self.factor is None else operands(y, self.factor)

    @property
    def scales(self) -> np.ndarray:
        """Bytes [n_out, SCALES_BYTES] of the output channels; where there are no factors, they are 0."""
        factor = np.zeros_like(self.mult) if self.factor is None else self.factor
        return packed({"bias": self.bias, "shift": self.shift, "mult": self.mult, "factor": factor})

    @classmethod
    def together(cls, *layers: "Linear") -> "Linear":
        """Layers of one input, without activation and with results of one kind, as one layer."""

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(layer, name) for layer in layers])

        factor = None if layers[0].factor is None else joined("factor")
        return cls(joined("weight"), joined("bias"), joined("mult"), joined("shift"), factor=factor)

    @cached_property
    def _columns(self) -> np.ndarray:
        return self.weight.astype(np.float32)  # in which the golden model multiplies


@dataclass(frozen=True, eq=False)
class Affine:
    """What follows a normalised row: gamma, beta : s16 [n]; shift : 8 to 15. Raises ParameterError."""

    gamma: np.ndarray
    beta: np.ndarray
    shift: int

    def __post_init__(self) -> None:
        for name in ("gamma", "beta"):
            _check(name, getattr(self, name), self.gamma.shape, *_signed(GAMMA_WIDTH))
        _check("shift", np.array(self.shift), (), GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX)

    def __call__(self, normal: np.ndarray) -> np.ndarray:
        """Words of normalised rows [..., n]."""
        return scale(normal, self.gamma, self.beta, self.shift)


@dataclass(frozen=True, eq=False)
class Norm:
    """A residual sum with its normalisation, as docs/numerics.md defines it.

    a, b : u16, factors of the two streams; epsilon : u54; rms : without the mean.
    words : makes the residual of the normalised row; None where the residual is the sum (pre-norm).
    operands : makes words with OPERAND_FRACTION fraction bits, of which operands are rounded; None where nothing reads
    them. Raises ParameterError.
    """

    words: Affine | None
    operands: Affine | None
    a: int = 1 << 15
    b: int = 0
    epsilon: int = 0
    rms: bool = False

    def __post_init__(self) -> None:
        for part in filter(None, (self.words, self.operands)):
            if not 2 <= len(part.gamma) <= MAX_FEATURES:
                raise ParameterError("elements of a normalised row", len(part.gamma), f"2 to {MAX_FEATURES}")
        for name in ("a", "b"):
            _check(name, np.array(getattr(self, name)), (), 0, (1 << WORD_WIDTH) - 1)
        _check("epsilon", np.array(self.epsilon), (), 0, (1 << EPSILON_WIDTH) - 1)

    def __call__(self, x: np.ndarray, y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """``(residual, operands)`` of one or two streams of words [..., n]; operands [..., 0] where none are read."""
        r = residual(x, self.a, y, self.b)
        normal = normalise(r, self.epsilon, self.rms)
        operands = r[..., :0] if self.operands is None else operand(self.operands(normal))
        return r if self.words is None else self.words(normal), operands

    @property
    def scales(self) -> np.ndarray:
        """int64 [n, 4] of the features, NORM_SCALES; 0 where they are of nothing."""
        parts = self.words, self.operands
        (n,) = {len(part.gamma) for part in parts if part}
        of_parts = [(part.gamma, part.beta) if part else np.zeros((2, n), np.int64) for part in parts]
        return np.stack([each for of_part in of_parts for each in of_part], -1)

    @property
    def shifts(self) -> dict[str, Any]:
        """Those of a NormJob; the least one where they are of nothing."""
        parts = {"shift": self.words, "operand_shift": self.operands}
        return {name: part.shift if part else GAMMA_SHIFT_MIN for name, part in parts.items()}

    def job(self, x: np.ndarray, y: np.ndarray | None = None) -> NormJob:
        """The NormJob of words x, and y likewise or None, [rows, n]; its results are those of a call."""
        return NormJob(
            x,
            y,
            self.scales,
            a=self.a,
            b=0 if y is None else self.b,
            epsilon=self.epsilon,
            rms=self.rms,
            pre_norm=self.words is None,
            operands=self.operands is not None,
            **self.shifts,
        )


def _signed(width: int) -> tuple[int, int]:
    return -(1 << (width - 1)), (1 << (width - 1)) - 1


def _check(name: str, array: np.ndarray, shape: tuple[int, ...], low: int, high: int) -> None:
    """Raise ParameterError unless integers have a shape and a range."""
    if array.shape != shape or array.dtype.kind not in "iu":
        raise ParameterError(name, f"{array.dtype} {array.shape}", f"integers {shape}")
    for value in (int(array.min()), int(array.max())):
        if not low <= value <= high:
            raise ParameterError(name, value, f"{low} to {high}")
