"""The golden core against float64 attention: golden/bits/core/attention_core.py against golden/reference.py.

Bounds of relative error (Frobenius) hold for Gaussian operands of d = 32 scaled by their largest magnitude, and are
at most a third larger than what was measured. For long rows of flat softmax the output is small against V, and the
rounding of the output is most of the error.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from hdp_hw.golden.bits.array import tile_array
from hdp_hw.golden.bits.core.attention_core import attend, attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.calibration import head_settings
from hdp_hw.golden.reference import attention, relative_error
from hdp_hw.golden.stimulus import corner_operands
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict
from tb.lib.bounds import HEAD_ERROR

CORES = {w: HdpParams(tile=2, lanes=16, digit_width=w, max_head_dim=32, max_seq_len=256) for w in (4, 8)}
DIGIT_WIDTHS = pytest.mark.parametrize("w", [4, 8])
KEEP_ALL = (Rule.MARGIN, 1e9)
D = 32


@dataclass
class Head:
    """Real operands of one head."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray

    def run(self, w, rule=Rule.DENSE, threshold=0.0, **more):
        """``(real output, HeadResult)``."""
        params = CORES[w]
        scales = [np.abs(x).max() for x in (self.q, self.k, self.v)]
        operands = [quantize(x, scale, params) for x, scale in zip((self.q, self.k, self.v), scales)]
        settings = head_settings(len(self.q), len(self.k), D, *scales[:2], params, rule, threshold, **more)
        result = attend(*operands, settings, params)
        return result.output * scales[2] / params.digit_max, result

    def error(self, w, rule=Rule.DENSE, threshold=0.0, kept=None, **more):
        """Relative error against float64 attention."""
        reference = attention(self.q, self.k, self.v, more.get("causal", False), kept)
        return relative_error(self.run(w, rule, threshold, **more)[0], reference)


def gaussian(n_q, n_k, spread=1.0, seed=0):
    """A random head; spread: standard deviation of its scores."""
    rng = np.random.default_rng(seed)
    return Head(spread * rng.normal(size=(n_q, D)), rng.normal(size=(n_k, D)), rng.normal(size=(n_k, D)))


def tight(measured, bound):
    assert 0.7 * bound <= measured <= bound, f"measured {measured:.4f}, stated {bound}"


@pytest.mark.parametrize(("w", "n", "dense", "all_kept", "causal"), HEAD_ERROR)
def test_error_against_float64(w, n, dense, all_kept, causal):
    """All four products; without fraction times fraction, as a sparse rule that keeps everything; causal."""
    heads = [gaussian(n, n, spread, seed) for spread in (1, 3) for seed in range(4)]
    tight(max(head.error(w) for head in heads), dense)
    tight(max(head.error(w, *KEEP_ALL) for head in heads), all_kept)
    tight(max(head.error(w, causal=True) for head in heads), causal)


@DIGIT_WIDTHS
def test_rule_that_keeps_everything_executes_everything(w):
    _, result = gaussian(9, 14).run(w, *KEEP_ALL)
    assert result.verdict == Verdict.SPARSE and result.mask.all() and result.executed.all()
    assert result.n_kept == result.n_visited == 5 * 7


@DIGIT_WIDTHS
@pytest.mark.parametrize(("rule", "threshold"), [(Rule.ROW_THRESHOLD, 0.1), (Rule.MARGIN, 2.0), (Rule.MASS, 0.02)])
def test_pruned_elements_are_excluded(w, rule, threshold):
    """A sparse head is float64 attention over the kept elements, as near as the dense one is to all of them."""
    head = gaussian(64, 64, spread=2)
    _, result = head.run(w, rule, threshold)
    assert result.verdict == Verdict.SPARSE and 0.1 < result.executed.mean() < 0.9
    np.testing.assert_array_equal(result.executed, result.mask)
    kept = np.kron(result.executed, np.ones((2, 2), bool))
    assert head.error(w, rule, threshold, kept) < {4: 0.06, 8: 0.003}[w]


@DIGIT_WIDTHS
@pytest.mark.parametrize(("n_q", "n_k"), [(5, 12), (6, 13), (12, 12), (9, 4)])
def test_causal_of_unequal_lengths(w, n_q, n_k):
    """The last query sees every key; queries before the first key see none, and their output is 0."""
    head = gaussian(n_q, n_k)
    for rule, threshold in ((Rule.DENSE, 0), KEEP_ALL):
        output, result = head.run(w, rule, threshold, causal=True)
        assert head.error(w, rule, threshold, causal=True) < {4: 0.03, 8: 0.002}[w]
        blind = max(0, n_q - n_k)
        assert (result.output[:blind] == 0).all() and (output[blind:] != 0).any(1).all()


@DIGIT_WIDTHS
@pytest.mark.parametrize("rule", Rule)
def test_a_single_key_passes_v(w, rule):
    """Its probability is 1: w = 4 gives V exactly; 16 bits too, its denominator being the same at every length."""
    params = CORES[w]
    v = np.arange(-params.digit_max, params.digit_max + 1, {4: 1, 8: 37}[w])
    v = np.resize(v, -(-len(v) // D) * D).reshape(-1, 1, D)
    q, k = np.random.default_rng(1).integers(-params.digit_max, params.digit_max + 1, (2, 1, D))
    settings = HeadSettings(1, 1, D, rule, mult=200, shift=10, kappa=200, kappa_shift=10)
    for row in v:
        np.testing.assert_array_equal(attend(q, k, row, settings, params).output, row)


@DIGIT_WIDTHS
def test_pruned_head(w):
    """Below tau_head the output is 0, or the mean of V to the reciprocal's 0.29 % (0.013 % for w = 8) and rounding."""
    params = CORES[w]
    rng = np.random.default_rng(1)
    for n_k in (1, 2, 3, 5, 7, 100, 255, 256):
        q, k = np.zeros((4, D), np.int64), rng.integers(-params.digit_max, params.digit_max + 1, (n_k, D))
        v = rng.integers(params.digit_max // 2, params.digit_max + 1, (n_k, D)) * rng.choice([-1, 1], D)
        for rule in (Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS):
            zero, mean = (
                attend(q, k, v, HeadSettings(4, n_k, D, rule, tau_head=1, mean_output=mean_output), params)
                for mean_output in (False, True)
            )
            for result in (zero, mean):
                assert result.verdict == Verdict.PRUNED and result.n_kept == 0 and not result.executed.any()
            assert (zero.output == 0).all()
            error = np.abs(mean.output - v.mean(0))
            assert (error <= 0.51 + {4: 0.0029, 8: 0.00013}[w] * np.abs(v.mean(0))).all()
            assert (np.abs(mean.output - np.rint(v.mean(0))) <= {4: 1, 8: 5}[w]).all()


@DIGIT_WIDTHS
def test_head_at_the_threshold_is_not_pruned(w):
    """theta_head * 256 = tau_head * n_valid is enough."""
    params = CORES[w]
    q, k, v = (np.zeros((n, D), np.int64) for n in (6, 10, 10))
    q[:, 0], k[:, 0] = 1 << w, 2 << w  # integer digits 1 and 2: every A is 2
    for tau_head, verdict in ((2 * 256, Verdict.SPARSE), (2 * 256 + 1, Verdict.PRUNED)):
        result = attend(q, k, v, HeadSettings(6, 10, D, Rule.MARGIN, tau_head=tau_head), params)
        assert (result.theta_head, result.verdict) == (2 * 60, verdict)


@DIGIT_WIDTHS
def test_fallback_is_the_dense_head(w):
    head = gaussian(20, 31)
    dense, _ = head.run(w)
    fallback, result = head.run(w, Rule.MARGIN, 0.5, min_keep=0.9, compensate=True)
    assert result.verdict == Verdict.FALLBACK and result.executed.all() and not result.mask.all()
    np.testing.assert_array_equal(fallback, dense)


@DIGIT_WIDTHS
def test_compensation_stands_in_for_pruned_keys(w):
    """56 of 64 keys alike, and pruned: without compensation their mass is missing, with it one key replaces them."""
    head = gaussian(32, 64)
    head.k[8:], head.v[8:] = 0.1 * head.k[8], head.v[8]
    _, result = head.run(w, Rule.MARGIN, 0.0)
    assert not result.executed[:, 4:].any()
    assert head.error(w, Rule.MARGIN, 0.0) > 1
    tight(head.error(w, Rule.MARGIN, 0.0, compensate=True), 0.06)


def test_shapes_are_checked():
    head, params = gaussian(4, 6), CORES[4]
    q, k, v = (quantize(x, 4.0, params) for x in (head.q, head.k, head.v))
    with pytest.raises(ValueError, match=r"v has shape \(5, 32\), settings say \(6, 32\)"):
        attend(q, k, v[:5], HeadSettings(4, 6, D), params)


def test_settings_are_checked():
    head, params = gaussian(4, 6), CORES[4]
    q, k, v = (quantize(x, 4.0, params) for x in (head.q, head.k, head.v))
    with pytest.raises(ParameterError, match="parameter n_q = 257 is not legal; legal: 1 to 256"):
        attend(q, k, v, HeadSettings(257, 6, D), params)


@DIGIT_WIDTHS
@pytest.mark.parametrize("rule", Rule)
def test_heads_at_once_are_the_heads_one_by_one(w, rule):
    """Two texts of four heads with scales and thresholds of their own, of which some are pruned and some fall back."""
    params, rng = CORES[w], np.random.default_rng(7)
    q, k, v = rng.integers(-params.digit_max, params.digit_max + 1, (3, 2, 4, 21, D))
    q[:, 0] //= 20
    more = {"compensate": True, "mean_output": True}
    settings = [
        HeadSettings(21, 21, D, rule, **more, rho=60 * head - 90, margin=40 << 2 * head, log_mass=20 + 30 * head,
                     kappa=130, kappa_shift=9 + 7 * (w == 8), mult=150, shift=13 + 13 * (w == 8) - head,
                     tau_head=(head == 0) * 50 * 4 ** w, min_keep=256 * (head == 1))
        for head in range(4)
    ]  # fmt: skip
    results = attend_many(q, k, v, settings, params)
    if rule != Rule.DENSE:
        assert {Verdict(x) for x in results.verdict.ravel()} == {Verdict.PRUNED, Verdict.FALLBACK, Verdict.SPARSE}
    for place in np.ndindex(2, 4):
        alone, among = attend(q[place], k[place], v[place], settings[place[1]], params), results[place]
        for name in vars(alone):
            np.testing.assert_array_equal(getattr(among, name), getattr(alone, name), name)


def test_heads_at_once_are_alike():
    head = HeadSettings(3, 3, D)
    with pytest.raises(ValueError, match=r"heads that run at once differ in rule: \[.*DENSE.*MASS"):
        attend_many(*np.zeros((3, 2, 3, D), int), [head, replace(head, rule=Rule.MASS)], CORES[4])


@pytest.mark.parametrize("operands", ["saturating", "most_negative", "one_key"])
def test_products_are_exact_at_the_largest_size(operands, monkeypatch):
    """8-bit operands go through float32 and int32."""
    params = HdpParams(tile=2, lanes=16, digit_width=4, max_head_dim=128, max_seq_len=1024)
    q, k, v = corner_operands(2, 1024, 128, params)[operands]
    settings = HeadSettings(2, 1024, 128, Rule.MASS, compensate=True, log_mass=511, mult=1, shift=63)
    fast = attend(q, k, v, settings, params)
    monkeypatch.setattr(tile_array, "_product", lambda a, b, digit_width: a.astype(np.int64) @ b.astype(np.int64))
    np.testing.assert_array_equal(fast.output, attend(q, k, v, settings, params).output)
