"""Linear, epilogue and norm of the golden model: against a slow formulation in Python's integers, and float64.

Errors are in LSB of a word or of an operand. Each bound holds, and is at most a third larger than what was measured.
"""

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from hdp_hw.golden.bits import digits
from hdp_hw.golden.bits.encoder.epilogue import activate, activation_words, operands, words
from hdp_hw.golden.bits.encoder.inverse_root import inverse_root
from hdp_hw.golden.bits.encoder.linear import linear
from hdp_hw.golden.bits.encoder.norm import normalise, residual, scale, variances
from hdp_hw.golden.bits.encoder.rounding import operand, saturate, shift_right
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import (
    BIAS_WIDTH,
    EPSILON_WIDTH,
    GAMMA_SHIFT_MAX,
    GAMMA_SHIFT_MIN,
    GUESS_FRACTION,
    MAX_FEATURES,
    MAX_INPUTS,
    NORMAL_FRACTION,
    OPERAND_MAX,
    SEGMENT_BITS,
    SHIFT_MAX,
    SUM_WIDTH,
    Activation,
    root_table,
)
from hdp_hw.study.encoder.units import table_of
from hdp_hw.study.models.functions import ACTIVATIONS

WORD_MAX = 2**15 - 1
INVERSE_ROOT_ERROR = (-0.00012, 0.000025)  #: relative, lowest and highest
WORD_ERROR = 0.75  #: of a word, against its sum in real numbers
NORMAL_ERROR = 0.75  #: of a normalised element, beside the relative one


def tight(measured, bound):
    """``bound`` holds and is not idle."""
    assert 0.75 * bound <= measured <= bound, f"measured {measured:.6g}, stated {bound:.6g}"


def nearest(x):
    """The integer nearest to a Fraction, ties upwards."""
    return math.floor(x + Fraction(1, 2))


def clip(x, low, high):
    return max(low, min(high, x))


# -- rounding ---------------------------------------------------------------------------------------------------------
def test_operands_are_those_of_the_array():
    params = CONFIGS["tiny"]
    assert OPERAND_MAX == params.digit_max
    integer, fraction = digits.split(np.arange(-128, 128), params.digit_width)
    np.testing.assert_array_equal(np.clip(np.arange(-128, 128), -OPERAND_MAX, OPERAND_MAX), 16 * integer + fraction)


def test_rounding():
    x = np.arange(-70000, 70000, 7)
    for shift in (0, 1, 3, 8):
        assert shift_right(x, shift).tolist() == [nearest(Fraction(int(v), 2**shift)) for v in x]
    assert saturate(np.array([-40000, -32768, 5, 32767, 40000])).tolist() == [-32768, -32768, 5, 32767, 32767]
    expected = [clip(nearest(Fraction(int(v), 256)), -119, 119) for v in x]
    assert operand(x).tolist() == expected and {-119, 119} <= set(expected)


# -- linear -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("k", [1, 16, 128, 1023, 1024, 1025, MAX_INPUTS])
def test_linear(k):
    """Every sum is exact, those of the largest operands of both signs included, and fits its width."""
    rng = np.random.default_rng(k)
    x, weight = rng.integers(-128, 128, (3, k)), rng.integers(-128, 128, (4, k))
    x[0], weight[0], weight[1] = 127, 127, -128
    bias = np.array([2 ** (BIAS_WIDTH - 1) - 1, -(2 ** (BIAS_WIDTH - 1)), 0, 12345])
    acc = linear(x, weight, bias)
    for i, o in np.ndindex(3, 4):
        pairs = zip(x[i].tolist(), weight[o].tolist())
        expected = sum(clip(a, -119, 119) * clip(b, -119, 119) for a, b in pairs) + int(bias[o])
        assert acc[i, o] == expected
        assert -(2 ** (SUM_WIDTH - 1)) <= expected < 2 ** (SUM_WIDTH - 1)
    np.testing.assert_array_equal(linear(x[None, :2], weight, bias), acc[None, :2])


def test_largest_sum_takes_all_bits():
    largest = OPERAND_MAX**2 * MAX_INPUTS
    assert 2 ** (BIAS_WIDTH - 2) < largest < 2 ** (BIAS_WIDTH - 1), "so a product takes as many bits as a bias"


# -- epilogue ---------------------------------------------------------------------------------------------------------
def sums(rng, n):
    """Sums of all magnitudes, the extremes first."""
    limit = 2 ** (SUM_WIDTH - 1)
    sizes = 2 ** rng.integers(1, SUM_WIDTH, n)
    return np.concatenate([[-limit, limit - 1, 0, 1, -1], rng.integers(-sizes, sizes)])


def test_words():
    rng, limit = np.random.default_rng(1), 2**17
    for shift in range(SHIFT_MAX + 1):
        acc = sums(rng, 500)
        mult = rng.integers(0, 2**16, len(acc))
        mult[:4] = 2**16 - 1, 2**16 - 1, 0, 2**15
        expected = []
        for a, m in zip(acc.tolist(), mult.tolist()):
            t = clip(nearest(Fraction(a * 32, 2**shift)), -limit, limit - 1)
            expected.append(clip(nearest(Fraction(t * m, 2**17)), -WORD_MAX - 1, WORD_MAX))
        assert words(acc, mult, np.full(len(acc), shift)).tolist() == expected


def test_word_error():
    """Half an LSB for either rounding, of which the first is at most halved: 0.75 LSB; nothing saturates early."""
    rng, errors = np.random.default_rng(2), []
    for shift in range(SHIFT_MAX + 1):
        acc = sums(rng, 20_000)
        mult = rng.integers(2**15, 2**16, len(acc))
        exact = np.clip(acc * 32.0 * mult / 2.0 ** (shift + 17), -WORD_MAX - 1, WORD_MAX)
        errors.append(np.abs(words(acc, mult, shift) - exact).max())
    tight(max(errors), WORD_ERROR)


def random_table(rng):
    """A table of any content, whose results saturate in places."""
    limit = 2**15
    return rng.integers(-limit, limit, (2**SEGMENT_BITS, 2))


def test_activation():
    rng = np.random.default_rng(3)
    table = random_table(rng)
    y = np.arange(-WORD_MAX - 1, WORD_MAX + 1)
    expected = []
    for word in y.tolist():
        left, slope = table[(word + 2**15) // 128].tolist()
        expected.append(clip(left + nearest(Fraction(slope * (word % 128), 128)), -WORD_MAX - 1, WORD_MAX))
    assert activate(y, Activation.TABLE, table).tolist() == expected == activation_words(table).tolist()
    assert {WORD_MAX, -WORD_MAX - 1} <= set(expected)
    assert activate(y, Activation.RELU).tolist() == [max(word, 0) for word in y.tolist()]
    assert activate(y, Activation.NONE) is y


@pytest.mark.parametrize("name", ["gelu", "gelu_new", "silu", "quick_gelu", "relu"])
def test_activation_error(name):
    """0.9, 1.2 and 2.4 LSB for arguments within +- 1, 8 and 32: two roundings, and what a chord is off at the bend."""
    for largest, bound in ((1, 0.9), (8, 1.2), (32, 2.4)):
        unit = largest / 2**15
        y = np.arange(-WORD_MAX - 1, WORD_MAX + 1)
        table, of_words = table_of(ACTIVATIONS[name], unit)
        assert of_words <= unit * (1 + 2.0**-14)
        error = np.abs(activate(y, Activation.TABLE, table) * of_words - ACTIVATIONS[name](y * unit)) / unit
        assert error.max() <= bound, f"measured {error.max()}"


def test_operands():
    rng = np.random.default_rng(4)
    y, factor = rng.integers(-WORD_MAX - 1, WORD_MAX + 1, 5000), rng.integers(0, 2**16, 5000)
    y[:4], factor[:4] = (-WORD_MAX - 1, WORD_MAX, -WORD_MAX - 1, 1), (2**16 - 1, 2**16 - 1, 238, 2**15)
    pairs = zip(y.tolist(), factor.tolist())
    assert operands(y, factor).tolist() == [clip(nearest(Fraction(a * b, 2**16)), -119, 119) for a, b in pairs]
    np.testing.assert_array_equal(operands(y, 256), operand(y))


# -- reciprocal square root -------------------------------------------------------------------------------------------
def plain_inverse_root(v):
    """``(q, e)`` by Python's integers, from the equation of Newton's step."""
    e = (56 - v.bit_length()) // 2
    y = (v * 4**e) // 2**39
    guess = root_table()[y // 1024 - 32]
    half = Fraction(guess, 2**11) / 2
    bracket = 3 - Fraction(y, 2**15) * Fraction(guess**2 // 64, 2**16)
    return math.floor(half * Fraction(math.floor(bracket * 2**15), 2**15) * 2**16), e


def roots():
    """Powers of two and their neighbours, numbers of all sizes, and all of two octaves to 16 bits."""
    random.seed(5)
    edges = [2**bit + step for bit in range(55) for step in (-1, 0, 1)]
    return [v for v in edges if 0 < v < 2**55] + [random.randrange(1, 2 ** random.randint(1, 55)) for _ in range(3000)]


def test_inverse_root():
    values = roots()
    q, e = inverse_root(np.array(values))
    assert list(zip(q.tolist(), e.tolist())) == [plain_inverse_root(v) for v in values]
    assert q.max() <= 2**16 and 2**15 - 8 <= q.min()
    assert inverse_root(0)[0] == 0


def test_inverse_root_error():
    """-0.012 % to 0.0025 %, over both octaves of every scale."""
    octaves = np.concatenate([np.arange(2**15, 2**17), [1, 2, 3]]) << 37
    errors = []
    for v in (octaves, np.array(roots())):
        q, e = inverse_root(v)
        errors.append(q * 2.0 ** (e - 43) * np.sqrt(v.astype(np.float64)) - 1)
    low, high = INVERSE_ROOT_ERROR
    errors = np.concatenate(errors)
    tight(-errors.min(), -low)
    tight(errors.max(), high)


def test_root_table():
    assert len(root_table()) == 96
    assert all(2**10 < entry < 2**GUESS_FRACTION for entry in root_table()), "its first bit is always 1"


# -- norm -------------------------------------------------------------------------------------------------------------
def test_residual():
    rng = np.random.default_rng(6)
    x, y = rng.integers(-WORD_MAX - 1, WORD_MAX + 1, (2, 4000))
    x[:2], y[:2] = -WORD_MAX - 1, (-WORD_MAX - 1, WORD_MAX)
    for a, b in ((2**15, 2**15), (2**16 - 1, 2**16 - 1), (0, 1), (31234, 777)):
        pairs = zip(x.tolist(), y.tolist())
        expected = [clip(nearest(Fraction(i * a + j * b, 2**15)), -WORD_MAX - 1, WORD_MAX) for i, j in pairs]
        assert residual(x, a, y, b).tolist() == expected
    np.testing.assert_array_equal(residual(x, 2**15), x)


def rows(rng, n):
    """Rows of words: of several widths and offsets, constant ones, outliers, and the extremes."""
    made = [rng.normal(offset, width, n) for width in (0.4, 3, 100, 5000) for offset in (0, 777, -20000)]
    outlier = rng.normal(0, 20, n)
    outlier[n // 2] = 30000
    extremes = np.where(np.arange(n) % 2, WORD_MAX, -WORD_MAX - 1)
    made += [outlier, np.full(n, 5), np.full(n, -WORD_MAX - 1), extremes, np.arange(n) == 0]
    return np.clip(np.rint(made), -WORD_MAX - 1, WORD_MAX).astype(np.int64)


def plain_normalise(r, epsilon, rms):
    """One row by Python's integers."""
    n, total = len(r), 0 if rms else sum(r)
    mean = nearest(Fraction(2 * total, n))
    variance = n * sum(x * x for x in r) - total**2
    if variance + epsilon == 0:
        return [0] * n
    q, e = plain_inverse_root(variance + epsilon)
    unit = Fraction(2) ** (33 - int(math.log2(n)) - e)
    return [clip(nearest((2 * x - mean) * q / unit), -(2**17), 2**17 - 1) for x in r]


@pytest.mark.parametrize("n", [2, 3, 16, 63, 64, 384, 768, MAX_FEATURES])
@pytest.mark.parametrize("rms", [False, True])
def test_normalise(n, rms):
    r = rows(np.random.default_rng(n), n)
    for epsilon in (0, 1, n * n, 2**EPSILON_WIDTH - 1):
        h = normalise(r, epsilon, rms)
        assert h.tolist() == [plain_normalise(row, epsilon, rms) for row in r.tolist()]
        assert (variances(r, rms)[1] + epsilon).max() < 2**55
        for each in r[(variances(r, rms)[1] + epsilon)[:, 0] > 0]:
            _, e = plain_inverse_root(int(variances(each, rms)[1][0]) + epsilon)
            assert 33 - int(math.log2(n)) - e >= 0 or not normalise(each, epsilon, rms).any(), "no shift to the left"


@pytest.mark.parametrize("rms", [False, True])
def test_normalise_error(rms):
    """0.5 LSB for the last rounding, a quarter of an LSB of the residual for the mean's, and the root's 0.012 %."""
    rng, excess = np.random.default_rng(8), []
    for n in (2, 16, 100, 384, 768, 1024, MAX_FEATURES):
        unit = 2.0 ** (NORMAL_FRACTION + int(math.log2(n))) / n
        for epsilon in (0, 7 * n * n):
            r = rows(rng, n).astype(np.float64)
            mean = 0 if rms else r.mean(-1, keepdims=True)
            deviation = np.sqrt(((r - mean) ** 2).mean(-1, keepdims=True) + epsilon / n**2)
            exact = (r - mean) / np.where(deviation > 0, deviation, 1) * unit
            of_mean = 0 if rms else 0.25 / np.maximum(deviation, 1e-9) * unit
            allowed = -INVERSE_ROOT_ERROR[0] * (np.abs(exact) + of_mean) + of_mean
            error = np.abs(normalise(r.astype(np.int64), epsilon, rms) - exact)
            excess.append((error - np.where(deviation > 0, allowed, 0)).max())
            assert np.abs(exact).max() < 2**17, "a normalised element fits its width"
    tight(max(excess), 0.51)


def test_scale():
    rng = np.random.default_rng(9)
    normal = rng.integers(-(2**17), 2**17, 3000)
    gamma, beta = rng.integers(-(2**15), 2**15, (2, 3000))
    normal[:2], gamma[:2], beta[:2] = -(2**17), (-(2**15), 2**15 - 1), (2**15 - 1, -(2**15))
    for shift in range(GAMMA_SHIFT_MIN, GAMMA_SHIFT_MAX + 1):
        triples = zip(normal.tolist(), gamma.tolist(), beta.tolist())
        expected = [clip(nearest(Fraction(h * g, 2**shift)) + b, -WORD_MAX - 1, WORD_MAX) for h, g, b in triples]
        assert scale(normal, gamma, beta, shift).tolist() == expected


@pytest.mark.parametrize("n", [64, 384, 768])
def test_layer_norm_error(n):
    """At most 1.25 LSB beside the root's relative error, and 0.52 LSB of an operand."""
    rng = np.random.default_rng(n)
    r = np.rint(rng.normal(0, 2000, (50, n)) * rng.uniform(0.2, 4, n)).clip(-WORD_MAX - 1, WORD_MAX)
    gamma, beta = rng.integers(2**13, 2**15, n), rng.integers(-3000, 3000, n)
    shift, unit = 15, 2.0 ** (NORMAL_FRACTION + int(math.log2(n))) / n
    exact = (r - r.mean(-1, keepdims=True)) / r.std(-1, keepdims=True) * unit * gamma / 2.0**shift + beta
    out = scale(normalise(r.astype(np.int64)), gamma, beta, shift)
    inside = np.abs(exact) < WORD_MAX
    error = np.abs(out - exact)[inside] + INVERSE_ROOT_ERROR[0] * np.abs(exact - beta)[inside]
    assert 0.6 <= error.max() <= 1.25
    as_operand = np.abs(operand(out) - np.clip(exact / 256, -119, 119))
    assert as_operand.max() <= 0.52
