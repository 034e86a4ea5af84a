"""How far softmax's integers are from real numbers: every bound stated in golden/ and hdp_hw/ is measured here.

Errors are relative, or in LSB of an output operand (a full-scale output is 2^(2w-1) LSB). Each bound is asserted from
both sides: it holds, and it is at most a third larger than what was measured.
"""

import numpy as np
import pytest

from hdp_hw.golden.bits.approximation.compensator import mean_score
from hdp_hw.golden.bits.approximation.exp2 import exp2, logit, weight
from hdp_hw.golden.bits.approximation.reciprocal import reciprocal
from hdp_hw.golden.bits.approximation.requantizer import requantize
from hdp_hw.golden.bits.array.tile_array import scores
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.reference import attention
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.spec.tables import (
    REQUANTIZE_FRACTION,
    TIME_CONSTANT_BITS,
    exp2_coefficients,
    guard,
    logit_fraction,
    normalised_width,
    reciprocal_bits,
    reciprocal_table,
)
from tb.lib.bounds import EXP2_ERROR, ROW_ERROR

CORES = {w: HdpParams(tile=2, lanes=16, digit_width=w, max_head_dim=32, max_seq_len=1024) for w in (4, 8)}
DIGIT_WIDTHS = pytest.mark.parametrize("w", [4, 8])

RECIPROCAL_ERROR = {4: (-0.0019, 0.0029), 8: (-0.00003, 0.00013)}  # relative, lowest and highest


def tight(measured, bound):
    """``bound`` holds and is not idle."""
    assert 0.75 * bound <= measured <= bound, f"measured {measured:.6g}, stated {bound:.6g}"


def logits(w):
    """Every logit t, and the exponential 2^-t in units of one, exact."""
    t = np.arange(1 << (TIME_CONSTANT_BITS + logit_fraction(w)))
    return t, exp2_coefficients(w)[0] * 2.0 ** (-t / (1 << logit_fraction(w)))


# -- exponential ------------------------------------------------------------------------------------------------------
@DIGIT_WIDTHS
def test_exp2_mantissa_within_0_32_percent(w):
    t, exact = logits(w)
    mantissa = t < 1 << logit_fraction(w)
    tight(np.abs(exp2(t[mantissa], w) / exact[mantissa] - 1).max(), EXP2_ERROR)


@DIGIT_WIDTHS
def test_exp2_over_the_whole_range(w):
    """Behind the mantissa comes a shift: an error of one LSB more."""
    t, exact = logits(w)
    error = np.abs(exp2(t, w) - exact)
    assert (error <= EXP2_ERROR * exact + 1).all()


@DIGIT_WIDTHS
def test_exp2_is_monotonic_and_continuous(w):
    """Never rises; no step where int(t) changes is larger than the steps around it; exact at integers."""
    fraction, one = logit_fraction(w), exp2_coefficients(w)[0]
    e = exp2(logits(w)[0], w)
    steps = e[:-1] - e[1:]
    assert (steps >= 0).all()
    for i in range(1, 1 << TIME_CONSTANT_BITS):
        assert e[i << fraction] == one >> i
        around = steps[((i - 1) << fraction) : ((i + 1) << fraction) - 1]
        assert steps[(i << fraction) - 1] < around.max() or around.max() <= 1


@DIGIT_WIDTHS
def test_exp2_vanishes_before_the_logit_saturates(w):
    """A saturated logit has weight 0; e itself is 0 from t = 15 (w = 4) and 19 (w = 8) on."""
    fraction, one = logit_fraction(w), exp2_coefficients(w)[0]
    e = exp2(logits(w)[0], w)
    assert (e[one.bit_length() << fraction :] == 0).all() and e[-1] == weight(e[-1], w) == 0


@DIGIT_WIDTHS
def test_weight_rounds_the_exponential(w):
    """P is within 0.5 + 0.32 % of the exact exponential: 0.69 LSB for w = 4, 66 LSB for w = 8."""
    t, exact = logits(w)
    p = weight(exp2(t, w), w)
    assert p.max() == p[0] == CORES[w].digit_max and p.min() == 0
    tight(np.abs(p - exact / (1 << guard(w))).max(), {4: 0.69, 8: 66}[w])


@DIGIT_WIDTHS
def test_logit_floors_and_saturates(w):
    rng = np.random.default_rng(1)
    limit = (1 << (TIME_CONSTANT_BITS + logit_fraction(w))) - 1
    for shift in range(64):
        difference = rng.integers(0, 1 << rng.integers(1, CORES[w].s_width + 1, 50))
        mult = rng.integers(0, 256, 50)
        exact = [min(int(d) * int(m) >> shift, limit) for d, m in zip(difference, mult)]
        np.testing.assert_array_equal(logit(difference, mult, shift, w), exact)


# -- reciprocal -------------------------------------------------------------------------------------------------------
def samples(width):
    """Every x up to 16 bits; of wider ones the first 2^16, the octave of the largest in 2^18 steps, and their ends."""
    if width <= 16:
        return np.arange(1, 1 << width)
    top = 1 << (width - 1)
    octave = top + np.arange(0, top, max(1, top >> 18))
    return np.unique(np.concatenate([np.arange(1, 1 << 16), octave, [2 * top - 1]]))


@DIGIT_WIDTHS
@pytest.mark.parametrize("width", [5, 8, 11, 16, 22, 25, 29])
def test_reciprocal_error(w, width):
    """-0.19 % to 0.29 % for w = 4, -0.003 % to 0.013 % for w = 8, reached by wide x only."""
    x = samples(width)
    r, s = reciprocal(x, width, w)
    y = (x << s) / 2.0 ** (width - 1)
    assert ((1 <= y) & (y < 2)).all()
    error = r * y / 2 ** reciprocal_bits(w) - 1
    low, high = RECIPROCAL_ERROR[w]
    assert low <= error.min() and error.max() <= high
    if width >= 22:
        tight(-error.min(), -low)
        tight(error.max(), high)


@DIGIT_WIDTHS
def test_reciprocal_is_exact_at_powers_of_two_and_falls_in_between(w):
    for width in (11, 22, 29):
        powers = 1 << np.arange(width)
        r, s = reciprocal(powers, width, w)
        assert (r == 2 ** reciprocal_bits(w)).all() and (powers << s == 1 << (width - 1)).all()
        x = samples(width)
        r, _ = reciprocal(x[x >> (width - 1) == 1], width, w)
        assert (np.diff(r) <= 0).all()


@DIGIT_WIDTHS
def test_reciprocal_of_zero(w):
    r, s = reciprocal(0, 22, w)
    assert (int(r), int(s)) == (0, 22)


@DIGIT_WIDTHS
def test_reciprocal_table_stays_above_one_half(w):
    """No entry leaves [1/2, 1] * 2^R: a reciprocal needs no more than R + 1 bits and keeps its leading one."""
    half = 2 ** (reciprocal_bits(w) - 1)
    for base, slope in reciprocal_table(w):
        assert half <= base - slope * 255 // 256 <= base <= 2 * half and slope > 0


# -- requantizer and compensator --------------------------------------------------------------------------------------
@DIGIT_WIDTHS
@pytest.mark.parametrize("max_seq_len", [16, 128, 1024])
def test_requantizer_error(w, max_seq_len):
    """At most half an LSB for rounding, 2^-8 LSB for the cut, and the reciprocal's relative error: 0.88 and 4.8 LSB."""
    rng = np.random.default_rng(1)
    width, limit = normalised_width(w, max_seq_len), 2 ** (2 * w - 1)
    denominator = rng.integers(1, 1 << rng.integers(1, width + 1, 100_000))
    quotient = np.concatenate([rng.uniform(-limit, limit - 1, 90_000), rng.choice([-limit, limit - 1], 10_000)])
    numerator = np.rint(quotient * denominator).astype(np.int64)
    y = requantize(numerator, *reciprocal(denominator, width, w), width, w)
    exact = numerator / denominator
    bound = 0.5 + 2.0**-REQUANTIZE_FRACTION + max(RECIPROCAL_ERROR[w]) * np.abs(exact)
    assert (np.abs(y - exact) <= bound).all()
    assert -limit <= y.min() and y.max() <= limit - 1
    assert np.abs(y - exact).max() <= {4: 0.88, 8: 4.8}[w]


@DIGIT_WIDTHS
def test_requantizer_saturates(w):
    width, limit = 22, 2 ** (2 * w - 1)
    r, s = reciprocal(1 << 10, width, w)
    quotients = np.array([limit - 1, limit, 2 * limit - 1, -limit, -limit - 1, -2 * limit])
    y = requantize(quotients << 10, r, s, width, w)
    assert y.tolist() == [limit - 1] * 3 + [-limit] * 3


@DIGIT_WIDTHS
def test_mean_score_error(w):
    """The reciprocal's error for every count, and the floor."""
    params = CORES[w]
    n = np.arange(1, params.max_seq_len + 1)
    largest = 4 ** (w - 1) * params.max_head_dim
    rng = np.random.default_rng(1)
    for total in (n * largest, -n * largest, n, -n, rng.integers(-n * largest, n * largest + 1)):
        exact = (total << (2 * w)) / n
        mean = mean_score(total, n, params)
        low, high = RECIPROCAL_ERROR[w]
        assert (np.abs(mean - exact) <= max(-low, high) * np.abs(exact) + 1).all()
        assert (np.abs(mean) < 2 ** (params.s_width - 1)).all()
    assert mean_score(12345, 0, params) == 0


# -- a row of softmax and attention -----------------------------------------------------------------------------------
def dense_rows(w, n_k, spread, rng, v=None, rows=64):
    """Output of ``rows`` dense query rows, and in float64 what these very scores and settings should give.

    spread : standard deviation of the logits, base 2.
    """
    params, d, digit_max = CORES[w], 32, CORES[w].digit_max
    q, k, values = (rng.integers(-digit_max, digit_max + 1, (n, d)) for n in (rows, n_k, n_k))
    values = values if v is None else np.full_like(values, v)
    if spread == 0:
        q[:] = 0
    factor = (
        (spread or 1) * 3 / (digit_max**2 * d**0.5) * 2 ** logit_fraction(w)
    )  # a uniform product's deviation is 1/3
    shift = int(7 - np.floor(np.log2(factor)))
    mult = min(round(factor * 2**shift), 255)
    settings = HeadSettings(rows, n_k, d, Rule.DENSE, mult=mult, shift=shift)
    s = scores(q, k, w, full=True) * (mult / 2.0**shift / 2 ** logit_fraction(w))
    e = 2.0 ** (s - s.max(1, keepdims=True))
    return attend(q, k, values, settings, params).output, e / e.sum(1, keepdims=True) @ values


SPREADS = (0, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 16, 64)


@pytest.mark.parametrize(("w", "n_k"), ROW_ERROR)
def test_attention_row_error(w, n_k):
    """Uniform scores from equal to one-hot. For w = 4 weights that round to 0 dominate: they grow with the length, and
    are worst for logits of 3 to 4 base-2 units; for w = 8 the polynomial does: 0.13 % of full scale.
    """
    rng = np.random.default_rng(1)
    errors = [np.subtract(*dense_rows(w, n_k, spread, rng)) for spread in SPREADS]
    worst, rms = ROW_ERROR[w, n_k]
    tight(max(np.abs(error).max() for error in errors), worst)
    tight(max(np.sqrt((error**2).mean()) for error in errors), rms)


@DIGIT_WIDTHS
def test_probabilities_sum_up_to_one(w):
    """With every V the same, only the reciprocal's error shows: the sum is 0.9981 to 1.0029, or 0.99997 to 1.00013."""
    rng, top = np.random.default_rng(1), CORES[w].digit_max
    for n_k in (1, 3, 17, 100, 1000):
        for spread in SPREADS:
            for v in (top, -top):
                output, _ = dense_rows(w, n_k, spread, rng, v, rows=16)
                low, high = RECIPROCAL_ERROR[w]
                total = output / v
                rounding = (0.5 + 2.0**-REQUANTIZE_FRACTION) / top
                assert 1 + low - rounding <= total.min() and total.max() <= 1 + high + rounding


def added(output, exact):
    """Root mean square error in LSB beyond that of rounding an exact output (0.29)."""
    return np.sqrt(max(((np.rint(output) - exact) ** 2).mean() - 1 / 12, 0))


def weight_bits_error(bits, n_k, spread):
    """What rounding P to ``bits`` bits adds to the error of 8-bit outputs, everything else exact."""
    rng = np.random.default_rng(2)
    z, v = rng.normal(0, spread, (256, n_k)), rng.integers(-119, 120, (n_k, 16))
    e = 2.0 ** (z - z.max(1, keepdims=True))
    p = np.rint(e * (2 ** (bits - 1) - 2 ** (bits // 2 - 1) - 1))  # digit_max of that many bits
    return added(p @ v / p.sum(1, keepdims=True), e @ v / e.sum(1, keepdims=True))


def operand_error(n_k, spread):
    """What rounding Q and K to 8 bits adds, for d = 32, everything else exact."""
    rng, params = np.random.default_rng(2), CORES[4]
    q, k = rng.normal(size=(256, 32)), rng.normal(size=(n_k, 32)) * spread / np.log2(np.e)
    v = rng.integers(-119, 120, (n_k, 16))
    scales = [np.abs(x).max() for x in (q, k)]
    rounded = [quantize(x, scale, params) * scale / params.digit_max for x, scale in zip((q, k), scales)]
    return added(attention(*rounded, v), attention(q, k, v))


@pytest.mark.parametrize(
    ("n_k", "spread", "stated"),
    [
        (32, 4, {6: 2.20, 7: 1.07, 8: 0.57, 10: 0.15}),
        (128, 1, {6: 0.35, 7: 0.17, 8: 0.10, 10: 0.06}),
        (128, 2, {6: 1.76, 7: 0.70, 8: 0.30, 10: 0.07}),
        (128, 4, {6: 3.31, 7: 1.78, 8: 0.95, 10: 0.28}),
        (1024, 1, {6: 0.19, 7: 0.08, 8: 0.03, 10: 0.00}),
        (1024, 4, {6: 5.39, 7: 3.48, 8: 2.17, 10: 0.76}),
    ],
)
def test_output_error_against_bits_of_weight(n_k, spread, stated):
    """Why P has 2w = 8 bits for w = 4: under 1 LSB up to 128 keys at the worst spread (4 base-2 units), twice as much a
    bit fewer. Long rows of wide logits, whose tail is lost, are the exception.
    """
    for bits, lsb in stated.items():
        assert weight_bits_error(bits, n_k, spread) == pytest.approx(lsb, abs=0.01)


@pytest.mark.parametrize(("n_k", "ratio"), [(32, 0.82), (128, 1.9), (1024, 5.5)])
def test_weight_bits_against_operand_bits(n_k, ratio):
    """The same error over the one that 8-bit Q and K make, at the worst spread."""
    tight(max(weight_bits_error(8, n_k, spread) / operand_error(n_k, spread) for spread in (2, 3, 4, 6)), ratio)


@pytest.mark.parametrize(("n_k", "share"), [(32, 0.12), (128, 0.35), (1024, 0.81)])
def test_worst_tail(n_k, share):
    """The row that rounding hurts most, w = 4: one key at the maximum, every other just below half a weight LSB.

    The tail's share of the exact softmax is lost; a wider P would be the cure, pruning does the same to such rows.
    """
    w, params = 4, CORES[4]
    t = next(t for t in logits(w)[0] if weight(exp2(t, w), w) == 0)
    q, k = np.zeros((1, 16), np.int64), np.zeros((n_k, 16), np.int64)
    q[0, :2] = 100, 1
    k[0, :2] = divmod(t, 100)  # scores t and 0; with mult = 1 and shift = 0 they are logits
    v = np.zeros((n_k, 16), np.int64)
    v[0] = 100
    output = attend(q, k, v, HeadSettings(1, n_k, 16, Rule.DENSE, mult=1), params).output
    exact = 1 / (1 + (n_k - 1) * 2.0 ** (-t / 2 ** logit_fraction(w)))
    assert (output == 100).all()
    assert 1 - exact == pytest.approx(share, abs=0.01)
