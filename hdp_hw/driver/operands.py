"""Real operands to integers, integers to digits, and whose keys and values a query head reads.

The golden model does the same by code of its own, golden.bits.digits and golden.bits.shell.job, and tests hold the two
against each other: a driver and an expected value that shared code would share its faults.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdp_hw.spec.params import HdpParams, ParameterError

Integers = NDArray[np.int64]
MAX_HEADS = (1 << 16) - 1


def quantise(x: ArrayLike, absmax: ArrayLike, params: HdpParams) -> Integers:
    """Nearest integers, ties to even, in a scale in which ``absmax`` is the largest; what is beyond saturates."""
    largest = params.digit_max
    with np.errstate(over="ignore"):  # which saturates as well
        scaled = np.asarray(x, np.float64) * (largest / np.asarray(absmax, np.float64))
    integers: Integers = np.rint(np.clip(scaled, -largest, largest)).astype(np.int64)
    return integers


def digits_of(x: Integers, params: HdpParams) -> tuple[Integers, Integers]:
    """``(integer, fraction)``, signed digits of w bits: x = integer * 2^w + fraction; x saturates at +- digit_max."""
    base, half = 1 << params.digit_width, 1 << (params.digit_width - 1)
    x = np.clip(x, -params.digit_max, params.digit_max)
    fraction = ((x & (base - 1)) ^ half) - half  # the low bits, their sign extended
    return (x - fraction) // base, fraction


def unpack_digits(content: NDArray[np.uint8]) -> Integers:
    """int64 [2 n] of the digits of 4 bits in uint8 [n], the lower one first."""
    return np.stack([content << 4, content], -1).reshape(-1).view(np.int8).astype(np.int64) >> 4


def kv_heads(n_heads: int, n_kv_heads: int) -> list[int]:
    """Of each query head, the number of the keys and values that it reads: shared in order, as evenly as may be."""
    heads, phase, number = [], 0, 0
    for _ in range(n_heads):
        heads.append(number)
        phase += n_kv_heads
        number, phase = number + phase // n_heads, phase % n_heads
    return heads


# -- what is refused --------------------------------------------------------------------------------------------------
def operand_arrays(q: Any, k: Any, v: Any) -> dict[str, NDArray[Any]]:
    """``{name: array}`` of operands, all of float types or all of integer types, whose shapes fit together.

    Raises ParameterError.
    """
    operands = {name: array_of(name, x) for name, x in (("q", q), ("k", k), ("v", v))}
    kinds = {x.dtype.kind for x in operands.values()}
    if kinds != {"f"} and not kinds <= {"i", "u"}:
        found = ", ".join(f"{name} {x.dtype}" for name, x in operands.items())
        raise ParameterError("dtype", found, "all three of float types, or all three of integer types")
    for name, x in operands.items():
        if x.ndim != 3 or 0 in x.shape:
            shape = f"[{'n_heads, n_q' if name == 'q' else 'n_kv_heads, n_k'}, d]"
            raise ParameterError(f"{name}.shape", x.shape, f"{shape}, none of them 0")
    _check_shapes(*operands.values())
    for name, x in operands.items():
        if kinds == {"f"} and not np.isfinite(x).all():
            raise ParameterError(name, float(x[~np.isfinite(x)][0]), "finite numbers")
    return operands


def integers_in_range(name: str, x: NDArray[Any], params: HdpParams) -> Integers:
    """The integers of an operand. Raises ParameterError when 2w bits do not hold one."""
    limit = 1 << (params.operand_width - 1)
    low, high = int(x.min()), int(x.max())
    if low < -limit or high >= limit:
        raise ParameterError(name, low if low < -limit else high, f"{-limit} to {limit - 1}")
    return x.astype(np.int64)


def array_of(name: str, x: Any) -> NDArray[Any]:
    """The array of what is given as one. Raises ParameterError where it is none."""
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of several lengths; a tensor on another device
        raise ParameterError(name, type(x).__name__, f"an array of numbers ({error})") from None
    if array.dtype.name == "bfloat16":  # of a package beside numpy, for which it is no float type
        array = array.astype(np.float32)
    return array


def _check_shapes(q: NDArray[Any], k: NDArray[Any], v: NDArray[Any]) -> None:
    if k.shape[2] != q.shape[2]:
        raise ParameterError("k.shape", k.shape, f"a last axis of {q.shape[2]}, as q has")
    if len(k) > len(q):
        raise ParameterError("k.shape", k.shape, f"at most {len(q)} heads, as q has")
    if v.shape != k.shape:
        raise ParameterError("v.shape", v.shape, f"{k.shape}, as k has")
    if len(q) > MAX_HEADS:
        raise ParameterError("q.shape", q.shape, f"at most {MAX_HEADS} heads")
