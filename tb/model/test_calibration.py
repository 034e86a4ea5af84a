"""From real scales and thresholds to integers: golden/calibration.py. Threshold search is in test_stimulus.py."""

import math

import numpy as np
import pytest

from hdp_hw.golden.calibration import head_settings, mantissa_and_shift
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.tables import COARSE_FRACTION, logit_fraction

LOG2_E = math.log2(math.e)
DIGIT_WIDTHS = pytest.mark.parametrize("w", [4, 8])


@pytest.mark.parametrize("max_shift", [31, 63])
def test_mantissa_and_shift_is_within_one_part_in_256(max_shift):
    """For every factor that both ends of the shift allow: 8 significant bits, rounded to nearest."""
    factors = np.geomspace(128 * 2.0**-max_shift, 255, 20_001)
    for factor in factors:
        mantissa, shift = mantissa_and_shift(factor, max_shift)
        assert 128 <= mantissa <= 255 and 0 <= shift <= max_shift
        assert abs(mantissa / 2**shift / factor - 1) <= 1 / 256


@pytest.mark.parametrize("max_shift", [31, 63])
def test_mantissa_and_shift_at_powers_of_two(max_shift):
    for exponent in range(7 - max_shift, 8):
        assert mantissa_and_shift(2.0**exponent, max_shift) == (128, 7 - exponent)


def test_mantissa_that_rounds_up_to_256_becomes_128():
    assert mantissa_and_shift(1.9999, 31) == (128, 6)


def test_tiny_factors_lose_bits_at_the_largest_shift():
    assert mantissa_and_shift(100 * 2.0**-31, 31) == (100, 31)
    assert mantissa_and_shift(1.4 * 2.0**-31, 31) == (1, 31)
    assert mantissa_and_shift(1e-30, 31) == (0, 31)
    assert mantissa_and_shift(1e-300, 63) == (0, 63)


def test_huge_factors_saturate():
    assert mantissa_and_shift(255.4, 31) == (255, 0)
    assert mantissa_and_shift(255.9, 31) == (255, 0)
    assert mantissa_and_shift(1e30, 31) == (255, 0)


def per_score(params, head_dim, q_absmax, k_absmax):
    """Base-2 logits per unit of S."""
    return q_absmax * k_absmax / params.digit_max**2 * LOG2_E / math.sqrt(head_dim)


@DIGIT_WIDTHS
@pytest.mark.parametrize("head_dim", [16, 64, 128])
@pytest.mark.parametrize("absmax", [(0.01, 0.3), (1, 1), (4, 5), (80, 60)])
def test_logit_scales(w, head_dim, absmax):
    """mult and shift, kappa and kappa_shift stand for log2(e) / sqrt(d) and the operands' scales."""
    params = HdpParams(digit_width=w, max_head_dim=128)
    settings = head_settings(8, 8, head_dim, *absmax, params)
    scale = per_score(params, head_dim, *absmax)
    assert settings.mult / 2**settings.shift == pytest.approx(scale * 2 ** logit_fraction(w), rel=1 / 256)
    scale_of_a = scale * 4**w * 2**COARSE_FRACTION
    # One unit of A that is 16 base-2 logits saturates the coarse logit, so a larger kappa would change nothing.
    assert settings.kappa / 2**settings.kappa_shift == pytest.approx(min(scale_of_a, 255), rel=1 / 256)


@DIGIT_WIDTHS
@pytest.mark.parametrize("nats", [0.1, 1, 2.5])
def test_margin_in_nats(w, nats):
    params = HdpParams(digit_width=w)
    settings = head_settings(8, 8, 32, 4.0, 5.0, params, Rule.MARGIN, nats)
    per_a = per_score(params, 32, 4.0, 5.0) * 4**w / LOG2_E
    assert abs(settings.margin * per_a - nats) <= per_a / 2


def test_a_margin_beyond_16_bits_saturates():
    assert head_settings(8, 8, 32, 4.0, 5.0, HdpParams(), Rule.MARGIN, 1e9).margin == 65535


@pytest.mark.parametrize(("p", "log_mass"), [(1, 0), (0.5, 16), (0.1, 53), (2.0**-20, 320), (1e-12, 511)])
def test_mass(p, log_mass):
    assert head_settings(8, 8, 32, 4.0, 5.0, HdpParams(), Rule.MASS, p).log_mass == log_mass


@pytest.mark.parametrize(("rho", "integer"), [(-0.5, -128), (0, 0), (0.3, 77), (255 / 256, 255)])
def test_rho(rho, integer):
    assert head_settings(8, 8, 32, 4.0, 5.0, HdpParams(), Rule.ROW_THRESHOLD, rho).rho == integer


def test_head_threshold_and_safety_bound():
    settings = head_settings(8, 8, 32, 4.0, 5.0, HdpParams(), Rule.MASS, 0.1, tau_head=3.5, min_keep=0.25)
    assert (settings.tau_head, settings.min_keep) == (3.5 * 256, 64)


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("rho", 256, (Rule.ROW_THRESHOLD, 1.0)),
        ("tau_head", 2**20, (Rule.MASS, 0.1, {"tau_head": 4096})),
        ("min_keep", 257, (Rule.MASS, 0.1, {"min_keep": 1.004})),
    ],
)
def test_thresholds_beyond_their_field_are_refused(name, value, arguments):
    rule, threshold, more = (*arguments, {})[:3]
    with pytest.raises(ParameterError) as refusal:
        head_settings(8, 8, 32, 4.0, 5.0, HdpParams(), rule, threshold, **more)
    assert (refusal.value.name, refusal.value.value) == (name, value)
