"""How the channels of a linear layer's input share the 8 bits of an operand, and its weights theirs."""

from collections.abc import Callable

import numpy as np

from hdp_hw.spec.encoder import OPERAND_MAX

ALPHAS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  #: how much of a channel's range its own unit takes up, not the weights
SHARES = (1.0, 0.9, 0.8, 0.7, 0.55, 0.4)  #: of the ranges, that operands hold; what is beyond saturates
WEIGHT_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)  #: likewise of the largest weight of an output channel
OUTPUTS = 256  #: of a layer, about so many of which are looked at to choose its units
TINY = 1e-12


def equalised(ranges: np.ndarray, weights: np.ndarray, alpha: float) -> np.ndarray:
    """Units [k] of the operands of a linear layer, whose channels have these ranges [k] and weights [n_out, k].

    Channel j is divided by s_j = range_j^alpha / (largest weight_j)^(1 - alpha), which its weights make up for.
    """
    ranges = np.maximum(ranges, max(TINY, 1e-4 * float(ranges.max())))
    largest = np.abs(weights).max(0)
    largest = np.maximum(largest, max(TINY, 1e-4 * float(largest.max())))
    factors = ranges**alpha / largest ** (1 - alpha)
    return factors * float((ranges / factors).max()) / OPERAND_MAX


def fitted(
    ranges: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    least: float | np.ndarray = 0.0,
    arriving: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """The units with which the layer is nearest to itself over ``rows`` [n, k] of its input: the best of ALPHAS, and
    then of SHARES.

    least : of each unit; arriving : ``f(units)``, what the rows are in these; rounded to them unless given.
    """
    some = weights[:: max(1, len(weights) // OUTPUTS)]
    exact = rows @ some.T

    def error(units: np.ndarray) -> float:
        integers, of_sums = quantised_weights(some, units)
        operands = arriving(units) if arriving else rounded(rows, units)
        columns = (integers * of_sums[:, None] / units).astype(np.float32)
        return float(((operands.astype(np.float32) @ columns.T - exact) ** 2).sum())

    whole = min((np.maximum(equalised(ranges, weights, alpha), least) for alpha in ALPHAS), key=error)
    return min((np.maximum(share * whole, least) for share in SHARES), key=error)


def rounded(x: np.ndarray, units: np.ndarray, largest: int = OPERAND_MAX) -> np.ndarray:
    """x in multiples of its units, up to ``largest`` of them."""
    return np.clip(np.rint(x / units), -largest, largest) * units


def quantised_weights(
    weight: np.ndarray, units: np.ndarray, powers: np.ndarray | None = None, least: float | np.ndarray = TINY
) -> tuple[np.ndarray, np.ndarray]:
    """``(weights in integers, unit of each sum)`` of a linear layer whose operands have ``units``.

    powers : mean squares [k] of the operands: with these, the largest weights may saturate where that leaves less
    error; least : unit of each sum.
    """
    scaled = weight.astype(np.float64) * units
    largest = np.abs(scaled).max(1) / OPERAND_MAX
    best, errors = largest, np.full(len(largest), np.inf)
    for share in WEIGHT_SHARES if powers is not None else ():
        difference = rounded(scaled, np.maximum(share * largest, TINY)[:, None]) - scaled
        found = (difference**2) @ powers
        best, errors = np.where(found < errors, share * largest, best), np.minimum(found, errors)
    best = np.maximum(np.maximum(best, least), TINY)
    return np.clip(np.rint(scaled / best[:, None]), -OPERAND_MAX, OPERAND_MAX).astype(np.int8), best
