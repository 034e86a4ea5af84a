"""The stimulus: the committed capture, the synthetic heads, and the thresholds that a wanted kept share takes."""

from collections import Counter

import numpy as np
import pytest

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.reference import attention, relative_error
from hdp_hw.golden.stimulus import (
    CAPTURE,
    captured_heads,
    corner_operands,
    effective_keys,
    random_head,
    wide_head,
    wide_heads,
)
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.study import capture
from hdp_hw.study.models import ModelError, load_model
from hdp_hw.study.passages import PASSAGES

PARAMS = HdpParams(tile=2, lanes=16, digit_width=4, max_head_dim=64, max_seq_len=256)


def error_of(head, params=PARAMS, rule=Rule.DENSE, threshold=0.0, **more):
    """(relative error of the integer output against float64 attention, kept share)."""
    result = attend(*head.quantised(params), head.settings(params, rule, threshold, **more), params)
    error = relative_error(head.real_output(result.output, params), attention(head.q, head.k, head.v))
    return error, result.n_kept / result.n_visited


def test_capture_covers_lengths_and_layers():
    heads = captured_heads()
    assert len({head.name for head in heads}) == len(heads) == 57
    assert Counter(head.n_k for head in heads) == {12: 6, 30: 6, 32: 6, 64: 6, 100: 6, 128: 18, 160: 3, 256: 6}
    assert {head.layer for head in heads} == set(range(6))
    assert [head.head for head in captured_heads(128) if head.name.startswith("lighthouse.")] == list(range(12))
    assert {head.source for head in heads} == {"captured"} and {head.head_dim for head in heads} == {32}
    assert set(PASSAGES) == set(capture.SELECTION) == {head.name.split(".")[0] for head in heads}
    assert CAPTURE.stat().st_size < 1.1e6


def test_capture_holds_sharp_and_flat_heads():
    shares = [effective_keys(head.q, head.k) / head.n_k for head in captured_heads(128)]
    assert min(shares) < 0.03 and max(shares) > 0.6


def test_scales_are_per_layer():
    scales = {}
    for head in captured_heads():
        scales.setdefault(head.layer, set()).add((head.q_absmax, head.k_absmax, head.v_absmax))
    assert [len(scale) for scale in scales.values()] == 6 * [1]


def test_quantised_captured_heads_use_their_range():
    for head in captured_heads(256):
        for x, absmax, real in zip(
            head.quantised(PARAMS), (head.q_absmax, head.k_absmax, head.v_absmax), (head.q, head.k, head.v)
        ):
            assert np.abs(x).max() <= PARAMS.digit_max
            assert np.mean(np.abs(real) > absmax) < 0.005
            assert relative_error(x * absmax / PARAMS.digit_max, real) < 0.05


def test_dense_error_on_captured_heads():
    """8-bit V and output dominate, most of all in two heads that rest on a token whose value is nearly zero."""
    narrow = [error_of(head)[0] for head in captured_heads()]
    assert np.mean(narrow) < 0.06 and sorted(narrow)[-3] < 0.14 and max(narrow) < 0.25
    wide = [error_of(head, CONFIGS["server"])[0] for head in captured_heads()]
    assert np.mean(wide) < 0.003 and max(wide) < 0.015


@pytest.mark.parametrize("n, low, high", [(128, 0.08, 0.16), (256, 0.05, 0.12)])
def test_margin_of_1_nat_keeps_about_a_tenth(n, low, high):
    assert low < np.mean([error_of(head, rule=Rule.MARGIN, threshold=1.0)[1] for head in captured_heads(n)]) < high


@pytest.mark.parametrize("rule", [Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS])
@pytest.mark.parametrize("wanted", [0.5, 0.25, 0.1])
def test_threshold_for_share(rule, wanted):
    heads = captured_heads(128)[:6]
    threshold, share = threshold_for_share(heads, rule, wanted, PARAMS)
    assert share == pytest.approx(wanted, abs=0.02)
    results = [attend(*head.quantised(PARAMS), head.settings(PARAMS, rule, threshold), PARAMS) for head in heads]
    assert share == sum(r.n_kept for r in results) / sum(r.n_visited for r in results)


@pytest.mark.parametrize("rule", [Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS])
def test_threshold_for_share_at_the_ends(rule):
    heads = captured_heads(64)[:2]
    shares = [threshold_for_share(heads, rule, wanted, PARAMS)[1] for wanted in (1.0, 0.0)]
    assert shares[0] > 0.95
    assert 1 / 32 <= shares[1] < 0.25  # equal scores are all kept


def test_threshold_for_share_of_causal_heads():
    heads = captured_heads(64)[:2]
    assert threshold_for_share(heads, Rule.MASS, 0.4, PARAMS, causal=True)[1] == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("n", [32, 64, 128, 256])
def test_wide_heads_resemble_captured_ones(n):
    """Logit spread and, at the same margin, kept shares of the same order."""
    narrow, wide = captured_heads(n), wide_heads(n)
    assert len(wide) == len(narrow) // 2
    assert {(head.n_q, head.n_k, head.head_dim, head.source) for head in wide} == {(n, n, 64, "synthetic")}

    def spread(heads):
        return np.sqrt(np.mean([(head.q @ head.k.T / head.head_dim**0.5).var(1).mean() for head in heads]))

    def kept(heads):
        return np.mean([error_of(head, rule=Rule.MARGIN, threshold=1.0)[1] for head in heads])

    assert 0.7 < spread(wide) / spread(narrow) < 1.1
    assert 0.6 < kept(wide) / kept(narrow) < 1.1
    assert max(error_of(head)[0] for head in wide) < 0.2


def test_wide_head_has_the_mean_logits():
    a, b = captured_heads(12)[:2]
    wide = wide_head(a, b)
    np.testing.assert_allclose(wide.q @ wide.k.T / 8, (a.q @ a.k.T + b.q @ b.k.T) / 2 / 32**0.5, rtol=1e-4, atol=1e-4)
    assert wide.name == f"{a.name}+{b.name}"
    assert wide.q_absmax == pytest.approx(max(a.q_absmax, b.q_absmax) / 2**0.5)


def test_cropped():
    head = captured_heads(100)[0]
    crop = head.cropped(33)
    assert (crop.n_q, crop.n_k, crop.name, crop.layer) == (33, 33, head.name + "[:33]", head.layer)
    np.testing.assert_array_equal(crop.v, head.v[:33])


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_random_head(sharpness):
    head = random_head(np.random.default_rng(0), 50, 200, 64, sharpness)
    assert (head.n_q, head.n_k, head.head_dim, head.source) == (50, 200, 64, "synthetic")
    assert (head.q @ head.k.T / 8).std() == pytest.approx(sharpness, rel=0.1)
    assert error_of(head)[0] < 0.3
    again = random_head(np.random.default_rng(0), 50, 200, 64, sharpness)
    np.testing.assert_array_equal(again.q, head.q)


@pytest.mark.parametrize("n_q, n_k", [(1, 1), (5, 7), (128, 128)])
@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("width", [4, 8])
def test_corner_operands_run(n_q, n_k, rule, width):
    params = HdpParams(tile=4, lanes=16, digit_width=width, max_head_dim=32, max_seq_len=128)
    settings = random_head(np.random.default_rng(0), n_q, n_k, 32).settings(params, rule, 0.5)
    limit = 1 << (params.operand_width - 1)
    extremes = set()
    for name, (q, k, v) in corner_operands(n_q, n_k, 32, params).items():
        result = attend(q, k, v, settings, params)
        assert result.verdict == (Verdict.DENSE if rule == Rule.DENSE else Verdict.SPARSE), name
        assert result.output.min() >= -limit and result.output.max() < limit, name
        extremes |= {q.min(), q.max()}
    assert {-limit, limit - 1} <= extremes


def test_corner_operands_are_the_corners_they_are_named():
    corners = corner_operands(6, 9, 32, PARAMS)
    settings = random_head(np.random.default_rng(0), 6, 9, 32).settings(PARAMS)
    output = {name: attend(*operands, settings, PARAMS).output for name, operands in corners.items()}
    assert not output["zeros"].any()
    value = {name: np.clip(v, -PARAMS.digit_max, PARAMS.digit_max) for name, (_, _, v) in corners.items()}
    assert np.abs(output["all_equal"] - value["all_equal"].mean(0)).max() <= 1
    assert (output["saturating"] >= PARAMS.digit_max - 1).all()
    assert (output["one_key"] == value["one_key"][0]).all()


def test_capture_reproduces():
    try:
        load_model(capture.MODEL)
    except ModelError as error:
        pytest.skip(str(error))
    arrays = capture.capture()
    with np.load(CAPTURE) as committed:
        assert sorted(committed.files) == sorted(arrays)
        for name in committed.files:
            if committed[name].dtype.kind == "f":  # another BLAS may round otherwise
                np.testing.assert_allclose(arrays[name], committed[name], rtol=2e-3, atol=2e-3, err_msg=name)
            else:
                np.testing.assert_array_equal(arrays[name], committed[name], err_msg=name)


def test_capture_command_names_what_is_missing(capsys):
    assert capture.main(["--model", "no-such-model"]) == 1
    assert capsys.readouterr().err.startswith("capture: model 'no-such-model' is neither a directory nor")
