"""The array's cycles add up to what it computes for whole heads: golden.bits.array.tile_array against itself."""

import numpy as np
import pytest

from hdp_hw.golden.bits.array.tile_array import (
    context,
    dot_unit,
    integer_scores,
    operand_select,
    scores,
    value_sums,
    value_total,
    weight_digits,
)
from hdp_hw.golden.bits.digits import split
from hdp_hw.spec.params import ArrayMode

LANES = 16
SLICE = LANES // 4
PARTS = {ArrayMode.INTEGER: 1, ArrayMode.CROSS: 2, ArrayMode.FULL: 4}  # cycles that a word lasts


def operands(rng, rows, d, w):
    return rng.integers(-(2 ** (2 * w - 1)), 2 ** (2 * w - 1), (rows, d))


def run(mode, q, k, w):
    """Sum over a mode's cycles of the dot units of a tile, [rows of q, rows of k]."""
    d = q.shape[1]
    words = -(-d // LANES)
    planes = [np.pad(plane, ((0, 0), (0, words * LANES - d))) for x in (q, k) for plane in split(x, w)]
    planes = [plane.reshape(len(plane), words, LANES) for plane in planes]
    total = 0
    for cycle in range(-(-d // (LANES // PARTS[mode]))):
        iq, fq, ik, fk = (plane[:, cycle // PARTS[mode]] for plane in planes)
        left = operand_select(mode, cycle, iq, fq, None, "left")[:, None]
        right = operand_select(mode, cycle, ik, fk, None, "right")[None]
        total = total + dot_unit(left, right, mode == ArrayMode.FULL, w)[1]
    return total


@pytest.mark.parametrize("w", [4, 8])
@pytest.mark.parametrize("d", [4, 8, 12, 32, 36])
def test_scores(w, d):
    rng = np.random.default_rng(d)
    q, k = operands(rng, 3, d, w), operands(rng, 5, d, w)
    integer, cross, full = (run(mode, q, k, w) for mode in PARTS)
    np.testing.assert_array_equal(integer, integer_scores(q, k, w))
    np.testing.assert_array_equal((integer << 2 * w) + (cross << w), scores(q, k, w, full=False))
    np.testing.assert_array_equal(full, scores(q, k, w, full=True))


@pytest.mark.parametrize("w", [4, 8])
def test_context(w):
    """Elements of CONTEXT are the products of a weight and a slice of V."""
    rng = np.random.default_rng(w)
    p, v = rng.integers(0, 2 ** (2 * w - 1) - 2 ** (w - 1), (3, 7)), operands(rng, 7, LANES // 2, w)
    words = np.stack(split(v, w)[::-1], -1)
    for phase in range(2):
        right = operand_select(ArrayMode.CONTEXT, phase, np.zeros(LANES, int), None, words, "right")
        elements, _ = dot_unit(weight_digits(p, LANES, w), right[None], True, w)
        np.testing.assert_array_equal(elements.sum(1), context(p, v, w)[:, phase * SLICE : (phase + 1) * SLICE])


@pytest.mark.parametrize("w", [4, 8])
def test_value_sums(w):
    rng = np.random.default_rng(w)
    v, keys = operands(rng, 9, 8, w), rng.random((4, 9)) < 0.5
    saturated = np.minimum(v, 2 ** (2 * w - 1) - 2 ** (w - 1) - 1)
    np.testing.assert_array_equal(value_total(v, w), saturated.sum(0))
    np.testing.assert_array_equal(value_sums(keys, v, w), [saturated[row].sum(0) for row in keys])
