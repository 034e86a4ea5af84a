"""The peers of HDP on small cases worked by hand, and their one model of cost."""

import json
import re

import numpy as np
import pytest

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.cycles.core.plan import HeadPlan, ideal_cycles
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.models import softmax_attention
from hdp_hw.study.peers import A3, DynaTran, Energon, Hdp, Oracle, Sanger, SpAtten
from hdp_hw.study.peers.a3 import estimates
from hdp_hw.study.peers.cost import Work, addition, multiplication, selecting, sorting
from hdp_hw.study.peers.cycles import array_cycles, dense_cycles
from hdp_hw.study.peers.energon import top_bits
from hdp_hw.study.peers.model_work import ModelWork
from hdp_hw.study.peers.oracle import compensated
from hdp_hw.study.peers.spatten import ratios, survivors

TINY = CONFIGS["tiny"]
SCALES = np.full((2, 3), 4.0)


def heads(n_heads, n, d, seed=1):
    """Random q, k, v [n_heads, n, d]."""
    return np.random.default_rng(seed).standard_normal((3, n_heads, n, d), np.float32)


def run(method, q, k, v, layers=1):
    """Context of the last of some layers that get the same operands; the method's work has them all."""
    q, k, v = (np.array(x, np.float32) for x in (q, k, v))
    if hasattr(method, "begin"):
        method.begin(layers, len(q), range(q.shape[1]))
    for layer in range(layers):
        context = method(layer, q, k, v)
    return context


def model_of(method, q):
    """ModelWork of a method in a model of the usual inner size, all of whose rows are read."""
    hidden = q.shape[0] * q.shape[2]
    return ModelWork(method.work, hidden, 4 * hidden)


def column(*values):
    """[1, n, 1]: a head of one element a row."""
    return np.array(values, np.float32)[None, :, None]


# -- cost -------------------------------------------------------------------------------------------------------------
def test_units():
    assert multiplication(8) == 1 and multiplication(4, 4) == 0.25 and multiplication(16, 16) == 4
    assert addition(16) == 0.25 and sorting(8, 8) == 8 * 3 / 8 and selecting(10, 16) == 7.5


def test_work_adds_up_and_survives_json():
    work = Work()
    for layer in (0, 1):
        macs, cost = np.array([5, 10, 0]), np.array([4, 8, 0])
        work.add(layer, texts=np.ones(3), dense_macs=10, macs=macs, dense_cost=10, cost=cost, decision=1)
        work.add(layer, pruned_heads=np.array([0, 0, 1]), dense_bytes=4, bytes=3)
    assert work.pruned_share == pytest.approx(0.5)
    assert work.net_saving == pytest.approx(1 - (12 + 3) / 30)
    assert work.byte_saving == pytest.approx(0.25)
    assert work.pruned_heads == pytest.approx(1 / 3) and work.cycles is None and work.texts(1) == 1
    work.add(0, cycles=2, dense_cycles=4)
    assert work.cycles == (6, 12)
    again = Work.from_lists(json.loads(json.dumps(work.to_lists())))
    assert again.net_saving == work.net_saving and again.cycles == (6, 12)
    np.testing.assert_array_equal(again.share("macs", "dense_macs"), [[0.5, 1, 0]] * 2)


@pytest.mark.parametrize(
    "method",
    [SpAtten(), DynaTran(tau=0), Sanger(threshold=0), Oracle(TINY, mass=0.999999)],
    ids=lambda x: type(x).__name__,
)
def test_nothing_pruned_is_softmax(method):
    q, k, v = heads(3, 6, 8)
    np.testing.assert_allclose(run(method, q, k, v), softmax_attention(0, q, k, v), rtol=1e-5, atol=1e-6)
    assert method.work.pruned_share == 0 and method.work.net_saving <= 0
    assert model_of(method, q).linear_saving == 0 and method.work.pruned_heads == 0


@pytest.mark.parametrize(
    "method",
    [SpAtten(values=0.5), DynaTran(tau=0.3), Sanger(0.1), Oracle(TINY, 0.6), Energon(), A3()],
    ids=lambda x: type(x).__name__,
)
def test_heads_are_independent(method):
    """A head gives the same alone as beside others, but where methods rank heads."""
    q, k, v = heads(3, 6, 8)
    together, work = run(method, q, k, v), method.work
    for head in range(3):
        one, method.work = slice(head, head + 1), None
        np.testing.assert_allclose(run(method, q[one], k[one], v[one])[0], together[head], rtol=1e-5, atol=1e-6)
        assert method.work.counts["macs"][0, 0] == work.counts["macs"][0, head]


@pytest.mark.parametrize(
    "method",
    [Hdp(TINY, SCALES), DynaTran(0.3), Sanger(0.1), Oracle(TINY, 0.6), Oracle(TINY, 0.6, True), Energon(), A3()],
    ids=lambda x: type(x).__name__,
)
def test_texts_of_one_length_are_independent(method):
    """Two at once give what they give one by one, and their work adds up."""
    (q, k, v), (others) = heads(2, 6, 32), heads(2, 6, 32, seed=2)
    method.timed_texts = 1
    together = method(0, *(np.stack(both) for both in zip((q, k, v), others)))
    work, method.work = method.work, None
    np.testing.assert_allclose(together, np.stack([method(0, q, k, v), method(0, *others)]), rtol=1e-5, atol=1e-6)
    for name, counts in work.counts.items():
        np.testing.assert_allclose(method.work.counts[name], counts, err_msg=name)


def test_masks_are_what_took_part():
    q, k, v = heads(2, 6, 8)
    method = Energon()
    method.masks = []
    context = run(method, q, k, v)
    (mask,) = method.masks
    s = np.where(mask, q @ k.swapaxes(1, 2) / np.sqrt(8), -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    np.testing.assert_allclose(context, p / p.sum(-1, keepdims=True) @ v, rtol=1e-5)
    assert method.work.counts["macs"].sum() == 2 * 8 * mask.sum()


# -- SpAtten ----------------------------------------------------------------------------------------------------------
def test_spatten_ratios():
    np.testing.assert_allclose(ratios(0.2, 0.5, 0.15, 6), [0, 0.1, 0.15, 0.2, 0.25, 0.3])
    np.testing.assert_allclose(ratios(0.2, 0.5, 0.3, 6), [0, 0, 0.1, 0.1 + 0.2 / 3, 0.1 + 0.4 / 3, 0.3])
    np.testing.assert_allclose(ratios(0.2, 0.5, 0.15, 2), [0, 0.2])
    np.testing.assert_allclose(ratios(0.2, 0.5, 0.15, 1), [0])


def test_spatten_survivors():
    scores, alive = np.array([3.0, 1, 4, 2]), np.array([True, True, False, True])
    assert survivors(scores, alive, 0.5).tolist() == [True, False, False, True]
    assert survivors(scores, alive, 0).tolist() == alive.tolist()
    assert survivors(scores, alive, 0.99).tolist() == [True, False, False, False]


@pytest.mark.parametrize("drop", [True, False])
def test_spatten_removes_the_token_without_attention(drop):
    """Token 2 gets e^-50 of the attention, token 0 less still, but the first one stays."""
    q, k = np.ones((2, 4, 1)), np.array([[[-60], [0], [-50], [0]]] * 2)
    v = np.array([[[8], [2], [5], [4]], [[8], [2], [5], [4]]])
    method = SpAtten(tokens=0.25, slope=0, drop=drop)
    method.begin(2, 2, "abcd")
    np.testing.assert_allclose(method(0, *(x.astype(np.float32) for x in (q, k, v)))[:, :, 0], 3)
    context = method(1, *(x.astype(np.float32) for x in (q, k, v)))[:, :, 0]
    np.testing.assert_allclose(context, [[3, 3, 0, 3]] * 2)
    assert method.alive.tolist() == [True, True, False, True] if drop else method.alive is None
    np.testing.assert_array_equal(method.work.counts["macs"], [[32, 32], [18, 18]])
    np.testing.assert_allclose(method.work.counts["bytes"], [[16, 16], [12, 12]])
    # One of four tokens lacks what follows attention in layer 0, of 9 / 12 of its work, and all of layer 1.
    assert model_of(method, q).linear_saving == pytest.approx((0.75 + 1) / 4 / 2 if drop else 0)


def test_spatten_cycles_are_those_of_a_shorter_text():
    q, k, v = heads(2, 8, 8)
    method = SpAtten(tokens=0.5, slope=0, params=TINY)
    run(method, q, k, v, layers=2)
    full, half = (dense_cycles(2, n, 8, TINY) for n in (8, 4))
    assert half < full and method.work.cycles == (full + half, 2 * full)
    local = SpAtten(values=0.5, params=TINY)
    run(local, q, k, v)
    assert local.work.cycles is None


def test_spatten_removes_the_quietest_head():
    q, k, v = heads(2, 4, 2)
    method = SpAtten(heads=0.5, slope=0)
    context = run(method, q, k, v * np.array([0.1, 1], np.float32)[:, None, None], layers=2)
    assert (context[0] == 0).all() and (context[1] != 0).any()
    np.testing.assert_array_equal(method.work.counts["pruned_heads"], [[0, 0], [1, 0]])
    assert model_of(method, q).linear_saving == pytest.approx(0.5 / 3 / 2)


def test_spatten_prunes_values_without_renormalising():
    method = SpAtten(values=0.5)
    context = run(method, column(1, 1, 1, 1), column(0, np.log(2), np.log(3), np.log(4)), column(1, 1, 1, 1))
    np.testing.assert_allclose(context[0, :, 0], 0.7, rtol=1e-6)
    assert method.work.pruned_share == 0.25


# -- A3 ---------------------------------------------------------------------------------------------------------------
def test_a3_greedy_steps():
    """Products: 3, -2; -2, 2; 0.5, -8. The smallest, -8, makes the sum negative: no further one is taken."""
    q, k = np.array([[1, 2]], np.float32), np.array([[3, -1], [-2, 1], [0.5, -4]], np.float32)
    np.testing.assert_array_equal(estimates(q, k, 1), [[3, 0, -8]])
    np.testing.assert_array_equal(estimates(q, k, 2), [[3, 2, -8]])
    np.testing.assert_array_equal(estimates(q, k, 3), [[3, 2, -7.5]])


@pytest.mark.parametrize("percent, expected", [(60, 1), (5, 1 + 1 / (1 + np.e**0.5**0.5))])
def test_a3_drops_candidates_of_small_weight(percent, expected):
    """Rows 0 and 1 are candidates; row 1 has e^-0.707 = 49 % of the weight of row 0."""
    q, k = [[[1, 2]] * 3], [[[3, -1], [-2, 1], [0.5, -4]]]
    method = A3(steps=0.7, percent=percent)
    np.testing.assert_allclose(run(method, q, k, [[[1, 0], [2, 0], [9, 0]]])[0, :, 0], expected, rtol=1e-6)
    n_kept = 1 if percent == 60 else 2
    assert method.work.counts["macs"].sum() == 3 * 2 * (2 + n_kept)
    steps = 3 * (2 * 2 + 2 * 2 * (1 + 2 * 0.25))
    assert method.work.counts["decision"].sum() == pytest.approx(2 * sorting(3, 8) + steps + 2 * 0.25 * 6)


def test_a3_keeps_the_best_estimate_where_none_is_positive():
    """One step: -1 for row 0, and none for row 1, whose estimate stays 0."""
    context = run(A3(), column(1, 1), column(-1, -2), column(5, 7))
    np.testing.assert_allclose(context[0, :, 0], 7)


# -- Energon ----------------------------------------------------------------------------------------------------------
KEYS = column(127, 63, 31, -127)


def test_energon_bits():
    assert top_bits(KEYS, 2).ravel().tolist() == [1, 0, 0, -2]
    assert top_bits(KEYS, 4).ravel().tolist() == [7, 3, 1, -8]


@pytest.mark.parametrize("alpha, first, kept", [(0.0, 3, 1), (-0.5, 3, 2), (0.5, 1, 1)])
def test_energon_rounds(alpha, first, kept):
    """Scores of round 1: 7, 0, 0, -14, their mean -1.75; of round 2: 49, 21, 7, their mean 25.7."""
    method = Energon(alpha)
    method.masks = []
    run(method, column(127, 127, 127, 127), KEYS, column(1, 2, 3, 4))
    np.testing.assert_array_equal(method.masks[0], np.broadcast_to(np.arange(4) < kept, (1, 4, 4)))
    assert method.work.counts["decision"].sum() == (16 + 4 * first) * (8 / 64 + 3 * 16 / 64)
    assert method.work.counts["bytes"].sum() == 4 + 4 + (2 * 4 + 2 * first + 4 * kept) / 8 + kept


# -- DynaTran ---------------------------------------------------------------------------------------------------------
def test_dynatran_zeroes_small_activations():
    """Query 1 becomes 0: its scores are 0, weigh e^0 each, and cost nothing."""
    method = DynaTran(tau=0.1)
    context = run(method, column(1, 0.05), column(1, 2), column(1, 3))
    weight = 1 / (1 + np.e)
    np.testing.assert_allclose(context[0, :, 0], [weight + 3 * (1 - weight), 2], rtol=1e-6)
    assert method.work.counts["macs"].sum() == 2 + 4
    assert method.work.counts["bytes"].sum() == 7 + 4 * 2 / 8
    assert method.work.counts["decision"].sum() == 4 * 2 / 8 + 4 * (16 + 8) / 64


def test_dynatran_zeroes_small_weights_and_outputs():
    method = DynaTran(tau=0.3)
    context = run(method, column(1, 1), column(1, 2), column(0.5, 0.4))
    np.testing.assert_array_equal(context, 0)  # 0.269 * 0.5 is gone, 0.731 * 0.4 below tau
    assert method.work.counts["macs"].sum() == 4 + 2


# -- Sanger -----------------------------------------------------------------------------------------------------------
def test_sanger_predicts_with_4_bits():
    """0.4 of 7 rounds to 0: query 0 has the scores 24.5 and 0, query 1 twice 0."""
    q, k = [[[7, 0, 0, 0], [0, 0, 0, 0]]], [[[7, 0, 0, 0], [0.4, 0, 0, 0]]]
    method = Sanger()
    context = run(method, q, k, [[[2, 0, 0, 0], [4, 0, 0, 0]]])
    np.testing.assert_allclose(context[0, :, 0], [2, 3])
    assert method.work.pruned_share == 0.25
    assert method.work.counts["decision"].sum() == 4 * (4 * 0.25 + 2 + 0.75)


def test_sanger_keeps_the_largest_where_all_are_below():
    method = Sanger(threshold=0.9)
    np.testing.assert_allclose(run(method, column(1, 1), column(1, 1.2), column(3, 8))[0, :, 0], 8)


# -- oracle -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mass, kept", [(0.55, [[1, 0], [0, 1]]), (0.65, [[1, 1], [0, 1]]), (0, [[1, 0], [0, 1]])])
def test_oracle_blocks(mass, kept):
    """Block rows hold 1.2 and 0.8, 0.3 and 1.7 of 2."""
    p = np.array([[0.7, 0.1, 0.2, 0], [0.3, 0.1, 0.6, 0], [0.1, 0.2, 0.7, 0], [0, 0, 1.0, 0]])
    assert Oracle(TINY, mass).blocks(p).astype(int).tolist() == kept


def test_oracle_cycles():
    q, k, v = heads(2, 7, 8)
    method = Oracle(TINY, 0.5)
    run(method, q, k, v)
    cycles, dense = method.work.cycles
    assert cycles < dense == array_cycles(np.ones((2, 4, 4), bool), 7, 8, TINY)


def test_compensation_is_exact_for_equal_scores():
    q, k, v = heads(2, 6, 8)
    s = np.where(np.arange(6) < 2, q @ k.swapaxes(1, 2), 0.25).astype(np.float32)
    p = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    np.testing.assert_allclose(compensated(s, np.broadcast_to(np.arange(6) < 2, s.shape), v), p @ v, rtol=2e-5)
    np.testing.assert_allclose(compensated(s, np.ones(s.shape, bool), v), p @ v, rtol=2e-5)


# -- HDP --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rule, threshold", [("dense", 0), ("row_threshold", 0.2), ("margin", 0.7), ("mass", 1.0)])
@pytest.mark.parametrize("compensate", [False, True])
def test_hdp_is_the_golden_model(rule, threshold, compensate):
    """Bits of the output; products charged are the array's, cycle for cycle; 16 tokens fill its tiles."""
    q, k, v = heads(2, 16, 32)
    method = Hdp(TINY, SCALES, rule, threshold, compensate=compensate)
    method.masks = []
    context = run(method, q, k, v)
    _, (settings, _) = method.of_layer(0, 2, 16, 32)
    results = [attend(*(quantize(x[h], 4.0, TINY) for x in (q, k, v)), settings, TINY) for h in (0, 1)]
    expected = np.stack([each.output for each in results]) * (4.0 / 119)
    np.testing.assert_array_equal(context, expected.astype(np.float32))
    counts = {name: array[0] for name, array in method.work.counts.items()}
    for head, result in enumerate(results):
        assert method.masks[0][head].sum() == 4 * result.n_kept
        busy = ideal_cycles(HeadPlan.of(settings, result, TINY), TINY)
        products = counts["cost"][head]
        if compensate and rule != "dense":
            products -= (2 * result.n_kept * 32 + 16 * 32 + 256 - 4 * result.n_kept) * addition()
        predicted = 256 * 32 / 4 if rule != "dense" else 0
        assert products + predicted == busy * TINY.multipliers / 4
        assert counts["decision"][head] >= predicted
    dense = rule == "dense"
    assert (method.work.net_saving == 0) == dense and (method.work.cycles[0] == method.work.cycles[1]) == dense
    moved = traffic(results, [settings] * 2, TINY, records=False)
    assert counts["bytes"].sum() == moved["bytes_read"] + moved["bytes_written"]
    assert counts["dense_bytes"].sum() == moved["bytes_unmasked"] + moved["bytes_written"]


def test_hdp_prunes_heads():
    q, k, v = heads(2, 16, 32)
    q[0] *= 0.01
    method = Hdp(TINY, SCALES, tau_head=1.0)
    context = run(method, q, k, v)
    assert (context[0] == 0).all() and (context[1] != 0).any()
    assert method.work.counts["pruned_heads"].tolist()[0] == [1, 0] and method.work.counts["cost"][0, 0] == 0
    mean = Hdp(TINY, SCALES, tau_head=1.0, mean_output=True)
    np.testing.assert_allclose(run(mean, q, k, v)[0, 0], v[0].mean(0), atol=0.04)


def test_hdp_falls_back_to_a_threshold_of_one():
    """1 / n_k times more than n_k is no probability; a row keeps what ties with its best."""
    q, k, v = heads(1, 4, 32)
    method = Hdp(TINY, SCALES, "mass", 9.0)
    assert method.of_layer(0, 1, 4, 32)[1][0].log_mass == 0
    assert np.isfinite(run(method, q, k, v)).all()


def test_hdp_of_wide_operands_is_measured_against_wide_operands():
    method = Hdp(CONFIGS["server"], SCALES, "dense")
    run(method, *heads(1, 8, 64))
    assert method.work.net_saving == 0 and method.work.byte_saving == 0


def test_cycles_of_some_texts_only():
    q, k, v = heads(2, 6, 32)
    method = Hdp(TINY, SCALES)
    method.timed_texts = 2
    for _ in range(3):
        run(method, q, k, v)
    assert method.work.texts(0) == 3 and method.work.cycles[1] == 2 * dense_cycles(2, 6, 32, TINY)


# -- parameters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: SpAtten(tokens=0.7),
            "tokens = 0.7 is not legal; legal: 0 up to, not including, 1 / (1 + slope) = 0.66",
        ),
        (lambda: SpAtten(heads=-0.1), "heads = -0.1 is not legal"),
        (lambda: SpAtten(values=1), "values = 1 is not legal; legal: 0 up to, not including, 1"),
        (lambda: SpAtten(slope=1.5), "slope = 1.5 is not legal; legal: 0 to 1"),
        (lambda: A3(steps=0), "steps = 0 is not legal; legal: above 0 up to 1"),
        (lambda: A3(percent=101), "percent = 101 is not legal; legal: above 0 up to 100"),
        (lambda: Energon(1.0), "alpha = 1.0 is not legal; legal: -1 up to, not including, 1"),
        (lambda: DynaTran(-1), "tau = -1 is not legal; legal: 0 or more"),
        (lambda: Sanger(1), "threshold = 1 is not legal; legal: 0 up to, not including, 1"),
        (lambda: Oracle(TINY, 1.0), "mass = 1.0 is not legal; legal: 0 up to, not including, 1"),
        (lambda: Hdp(TINY, SCALES, "best"), "rule = 'best' is not legal; legal: row_threshold, margin, mass, dense"),
        (lambda: Hdp(TINY, SCALES, threshold=0), "threshold = 0 is not legal; legal: above 0 for rule mass"),
        (lambda: dense_cycles(1, 200, 32, TINY), "n_q = 200 is not legal; legal: 1 to 128"),
    ],
)
def test_bad_parameters(make, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        make()


def test_parameters():
    assert SpAtten(tokens=0.1, params=TINY).parameters == {
        "tokens": 0.1, "heads": 0.0, "values": 0.0, "slope": 0.5, "drop": True
    }  # fmt: skip
    assert set(Hdp(TINY, SCALES).parameters) == {
        "rule", "threshold", "relative", "compensate", "tau_head", "mean_output"
    }  # fmt: skip
