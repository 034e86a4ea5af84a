"""The driver's own conversions against the golden model's, bit for bit: operands, digits, shared heads, settings."""

import ast
from pathlib import Path

import numpy as np
import pytest

from hdp_hw.driver.head_settings import head_settings, scaled
from hdp_hw.driver.operands import digits_of, kv_heads, quantise
from hdp_hw.golden import calibration
from hdp_hw.golden.bits.digits import quantize, split
from hdp_hw.golden.bits.shell.job import kv_head
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule

DRIVER = Path(__file__).resolve().parents[2] / "hdp_hw" / "driver"
MODELS = {"emulator.py", "memory_job.py", "trace.py"}  #: that run the golden model on purpose
WIDTHS = pytest.mark.parametrize(
    "params", [HdpParams(digit_width=w) for w in (4, 8)], ids=lambda p: f"w{p.digit_width}"
)


@pytest.mark.parametrize("path", sorted(DRIVER.glob("*.py")), ids=lambda path: path.name)
def test_driver_shares_no_code_with_the_golden_model(path):
    modules = [node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    assert any(module.startswith("hdp_hw.golden") for module in modules) == (path.name in MODELS)


@WIDTHS
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_quantise(params, kind):
    rng = np.random.default_rng(1)
    for absmax in (1.0, 3, 0.1, 119.0, 32639.0, np.array([0.5, 2.0, 7.3]).reshape(3, 1, 1)):
        x = np.clip(rng.standard_normal((3, 50, 40)) * absmax, -65504, 65504).astype(kind)
        np.testing.assert_array_equal(quantise(x, absmax, params), quantize(x, absmax, params))


@WIDTHS
def test_quantise_ties_ends_and_beyond(params):
    halves = np.arange(-2 * params.digit_max - 4, 2 * params.digit_max + 5) / 2
    got = quantise(halves, params.digit_max, params)
    np.testing.assert_array_equal(got, quantize(halves, params.digit_max, params))
    assert got[0] == -params.digit_max and got[-1] == params.digit_max
    assert quantise([0.5, 1.5, 2.5, -0.5, -1.5], params.digit_max, params).tolist() == [0, 2, 2, 0, -2]
    assert quantise([1e308, -1e308], 1e-30, params).tolist() == [params.digit_max, -params.digit_max]


@WIDTHS
def test_digits(params):
    every = np.arange(-(1 << (params.operand_width - 1)), 1 << (params.operand_width - 1))
    for mine, golden in zip(digits_of(every, params), split(every, params.digit_width), strict=True):
        np.testing.assert_array_equal(mine, golden)


def test_shared_heads():
    for n_heads in range(1, 40):
        for n_kv_heads in range(1, n_heads + 1):
            golden = [kv_head(head, n_heads, n_kv_heads) for head in range(n_heads)]
            assert kv_heads(n_heads, n_kv_heads) == golden


def test_mantissa_and_shift():
    rng = np.random.default_rng(2)
    factors = [*np.exp2(rng.uniform(-90, 40, 20_000)).tolist(), *(2.0**k for k in range(-90, 40)), 255.4, 255.5, 255.9]
    for near in (np.nextafter(2.0**k, side).item() for k in range(-80, 20) for side in (0, np.inf)):
        factors.append(near)
    for max_shift in (31, 63):
        for factor in factors:
            assert scaled(factor, 0, max_shift) == calibration.mantissa_and_shift(factor, max_shift), factor
            assert scaled(factor, 4, max_shift) == calibration.mantissa_and_shift(factor * 16, max_shift), factor


@WIDTHS
@pytest.mark.parametrize(
    ("rule", "thresholds"),
    [
        (Rule.DENSE, [0.0]),
        (Rule.ROW_THRESHOLD, [-0.99, -0.3, 0.0, 1 / 512, 0.5, 0.996]),
        (Rule.MARGIN, [0.0, 1e-6, 0.5, 1.5, 30.0, 1e30]),
        (Rule.MASS, [1e-300, 1e-9, 0.02, 0.5, 1.0]),
    ],
)
def test_head_settings(params, rule, thresholds):
    rng = np.random.default_rng(3)
    for threshold in [*thresholds, *rng.uniform(0.001, 0.9, 50).tolist()]:
        for absmax in ((1.0, 1.0), (3, 5), tuple(np.exp2(rng.uniform(-60, 60, 2)).tolist()), (1e-30, 1e30)):
            more = {"tau_head": float(rng.uniform(0, 4000)), "min_keep": float(rng.uniform(0, 1)), "compensate": True}
            arguments = 7, 9, int(rng.integers(1, 9)) * params.slice_width, *absmax, params, rule, threshold
            assert head_settings(*arguments, **more) == calibration.head_settings(*arguments, **more)
