"""A norm that runs beside a job's heads, or alone."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.checks import whole
from hdp_hw.spec.encoder import EPSILON_WIDTH, GAMMA_SHIFT_MAX, GAMMA_SHIFT_MIN, GAMMA_WIDTH, WORD_WIDTH
from hdp_hw.spec.formats import NORM_SCALES
from hdp_hw.spec.params import HdpParams, ParameterError


@dataclass(frozen=True, eq=False)
class NormJob:
    """A residual sum and a normalisation of rows of words, as docs/numerics.md defines them.

    x, y : int64 [rows, n], words; y None for one stream alone, with b = 0. a, b : u16, their factors.
    scales : int64 [n, 4], s16: gamma and beta of the word, then of the operand; shift, operand_shift : 8 to 15, behind
    gamma. epsilon : u54; rms : without the mean; pre_norm : the word is the sum.
    words, operands : whether these results are written, one of them at least.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64] | None
    scales: NDArray[np.int64]
    a: int = 1 << 15
    b: int = 0
    epsilon: int = 0
    rms: bool = False
    pre_norm: bool = False
    shift: int = GAMMA_SHIFT_MIN
    operand_shift: int = GAMMA_SHIFT_MIN
    words: bool = True
    operands: bool = True

    def validate(self, params: HdpParams) -> "NormJob":
        """Raise ParameterError for the first thing that a co-processor with ``params`` would refuse; returns self."""
        x, factor = np.asarray(self.x), (1 << WORD_WIDTH) - 1
        if x.ndim != 2:
            raise ParameterError("norm.x.shape", x.shape, "[rows, n]")
        whole("norm.x.shape[0]", x.shape[0], 1, params.max_seq_len)
        whole("norm.x.shape[1]", x.shape[1], 2, params.max_features)
        _check("x", x, x.shape, WORD_WIDTH)
        if self.y is not None:
            _check("y", self.y, x.shape, WORD_WIDTH)
        _check("scales", self.scales, (x.shape[1], len(NORM_SCALES)), GAMMA_WIDTH)
        whole("norm.a", self.a, 0, factor)
        whole("norm.b", self.b, 0, 0 if self.y is None else factor)
        whole("norm.epsilon", self.epsilon, 0, (1 << EPSILON_WIDTH) - 1)
        for name in ("shift", "operand_shift"):
            whole(f"norm.{name}", getattr(self, name), GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX)
        if not (self.words or self.operands):
            raise ParameterError("norm.words", self.words, "True without operands")
        return self


class NormRun(NamedTuple):
    """What a norm produced: words and operands, int64 [rows, n], None where they are not written."""

    words: NDArray[np.int64] | None
    operands: NDArray[np.int64] | None


def _check(name: str, array: NDArray[Any], shape: tuple[int, ...], width: int) -> None:
    """Raise ParameterError unless an array holds signed integers of ``width`` bits and has a shape."""
    if array.shape != shape or array.dtype.kind not in "iu":
        raise ParameterError(f"norm.{name}", f"{array.dtype} {array.shape}", f"integers {shape}")
    limit = 1 << (width - 1)
    for value in (int(array.min()), int(array.max())):
        whole(f"norm.{name}", value, -limit, limit - 1)
