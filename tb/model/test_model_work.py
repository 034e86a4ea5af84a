"""What methods save of a whole model, and HDP whose tokens leave it."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from hdp_hw.golden.bits.core.attention_core import attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Verdict
from hdp_hw.study.accuracy.linear import attention_macs, model_linears
from hdp_hw.study.models.encoder import Encoder
from hdp_hw.study.peers import Hdp, LeavingHdp, Oracle, SpAtten
from hdp_hw.study.peers.cost import Work
from hdp_hw.study.peers.leaving import staying
from hdp_hw.study.peers.model_work import ModelWork
from tb.lib.tiny_model import CONFIG, random_tensors

TINY, SERVER = CONFIGS["tiny"], CONFIGS["server"]
SCALES = np.full((2, 3), 4.0)
TOKENS = np.arange(20) * 7 % 20


@pytest.fixture
def encoder():
    """Two layers of two heads, d = 16, an inner size of 48, and a classifier."""
    return Encoder(CONFIG, random_tensors(CONFIG, 3))


def after(encoder, method, first_only=True):
    """ModelWork of a method that has run on TOKENS."""
    if hasattr(method, "begin"):
        method.begin(encoder.n_layers, encoder.n_heads, TOKENS)
    encoder(TOKENS, method)
    return ModelWork(method.work, encoder.hidden_size, encoder.inner_size, first_only)


@pytest.fixture
def made(monkeypatch):
    """Multiply-accumulates that encoders make in linear layers, those of the classifier aside."""
    made, linear = [0], Encoder._linear

    def counted(self, name, x):
        made[0] += x.size * len(self.tensors[f"{name}.weight"]) * name[0].isdigit()
        return linear(self, name, x)

    monkeypatch.setattr(Encoder, "_linear", counted)
    return made


# -- ModelWork --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("first_only", [False, True])
@pytest.mark.parametrize("params", [TINY, SERVER], ids=["8 bits", "16 bits"])
def test_dense(encoder, params, first_only):
    """Nothing is saved, and attention's share is that of multiplications, whatever the width of an operand."""
    model, n = after(encoder, Hdp(params, SCALES, "dense"), first_only), len(TOKENS)
    linear = sum(each.macs for each in model_linears(encoder, n, first_only))
    attention = attention_macs(32, n) + attention_macs(32, n, 1 if first_only else None)
    assert model.attention_share == pytest.approx(attention / (attention + linear))
    assert model.saving == model.saving_with_projections == model.linear_saving == 0
    if params is TINY:  # heads of 16 elements are no whole words of the other
        assert model.byte_saving == pytest.approx(0)
    every = sum(each.macs for each in model_linears(encoder, n)) + 2 * attention_macs(32, n)
    assert model.unread == pytest.approx(1 - (attention + linear) / every)


def test_by_hand():
    """Two layers, one head of two elements, an inner size of three; a text of four positions, of which one is gone.

    A row takes 4 for Q, 8 for K and V, 4 for the output projection and 12 for the feed-forward network.
    """
    work, one = Work(), np.ones(1)
    counts = dict(texts=one, dense_macs=64, dense_cost=64, dense_bytes=32, dense_rows=4, weights=1)
    work.add(0, cost=50, decision=6, bytes=30, projected=4, joined=3, rows=3, spared=2, **counts)
    work.add(1, cost=36, decision=2, bytes=24, projected=3, joined=3, rows=3, spared=3, **counts)
    every, first = (ModelWork(work, 2, 3, first_only) for first_only in (False, True))
    assert every.linear_saving == pytest.approx(1 - (4 * 12 + 3 * 16 + 3 * 28) / (2 * 4 * 28))
    assert every.saving == pytest.approx(1 - (56 + 38 + 96 + 84) / (2 * 64 + 224))
    assert every.saving_with_projections == pytest.approx(1 - (56 + 38 + 96 + 84 - 5 * 8) / 352)
    # One query of the last layer: 2 * 2 * 4 or 2 * 2 * 3 of attention, K and V of all rows, the others of one.
    assert first.saving == pytest.approx(1 - (56 + 12 + 96 + 3 * 8 + 20) / (64 + 16 + 4 * 28 + 4 * 8 + 20))
    assert first.saving_with_projections - first.saving == pytest.approx(2 * 8 / 244)
    assert first.unread == pytest.approx(1 - 244 / 352) and first.all_rows == every
    # Bytes of a row: 2 + 2, 2 + 4, 2 + 2, 2 + 3 and 3 + 2; a layer has 28 weights.
    dense = 64 + 2 * (4 * 24 + 28)
    assert every.byte_saving == pytest.approx(1 - (54 + 4 * 10 + 3 * 14 + 3 * 24 + 56) / dense)


def test_heads_that_spatten_removes(encoder):
    """One of two in the second layer: half of its projections, and of their weights."""
    model = after(encoder, SpAtten(heads=0.5, slope=0), first_only=False)
    weights = 4 * 32 * 32 + 2 * 32 * 48
    assert model.linear_saving == pytest.approx(2 * 32 * 32 / (2 * weights))
    moved = 20 * (2 * 32 + 3 * 32 + 2 * 32 + 2 * (32 + 48))  # Q, K and V, output projection, inner and outer
    spared = 20 * (2 * 32 + 3 * 32 + 2 * 32) / 2 + 2 * 32 * 32 + 20 * 4 * 16
    assert model.byte_saving == pytest.approx(spared / (2 * (moved + weights + 20 * 4 * 32)))


def test_projections_of_pruned_heads(encoder):
    """All heads are pruned: V and the output projection need no row, or one where the mean of V is the output."""
    model = after(encoder, Hdp(TINY, SCALES, tau_head=200), first_only=False)
    macs = sum(each.macs for each in model_linears(encoder, 20)) + 2 * attention_macs(32, 20)
    of_rows = 2 * 2 * 32 * 32
    assert model.saving_with_projections - model.saving == pytest.approx(20 * of_rows / macs)
    model = after(encoder, Hdp(TINY, SCALES, tau_head=200, mean_output=True), first_only=False)
    assert model.saving_with_projections - model.saving == pytest.approx(19 * of_rows / macs)


# -- tokens that leave ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("votes", "stay"),
    [(0, [1, 1, 0, 0, 1, 1, 1]), (0.2, [1, 1, 0, 0, 1, 1, 0]), (0.3, [1, 1, 0, 0, 0, 0, 0]), (0.9, [1] + 6 * [0])],
)
def test_staying(votes, stay):
    """Blocks of two; of the two heads with a say, of four block rows, the blocks have 5, 0, 2 and 1 of 8 votes.

    The third head is pruned, whatever it keeps.
    """
    executed = np.zeros((3, 4, 4), bool)
    executed[0, :, 0] = executed[1, 0, 0] = executed[1, 1:3, 2] = executed[1, 1, 3] = executed[2, :, 1] = True
    verdict = np.array([Verdict.SPARSE, Verdict.FALLBACK, Verdict.PRUNED])
    results = SimpleNamespace(executed=executed, verdict=verdict)
    assert staying(results, 7, 2, votes).tolist() == [bool(each) for each in stay]
    everyone = SimpleNamespace(executed=executed[2:], verdict=verdict[2:])
    assert staying(everyone, 7, 2, votes).all()


@pytest.mark.parametrize("votes", [0.0, 0.3, 0.6])
def test_tokens_that_leave_are_gone(encoder, made, votes):
    """A model from which their rows are really taken gives the same, and makes the products that are counted."""
    method = LeavingHdp(TINY, SCALES, threshold=8.0, votes=votes)
    model = after(encoder, method)
    again = LeavingHdp(TINY, SCALES, threshold=8.0, votes=votes)
    again.begin(2, 2, TOKENS)
    expected = encoder.classify(encoder(TOKENS, again)[0])
    made[0] = 0
    x, gone = encoder._normalise("norm", encoder.embed(TOKENS)), 0
    for layer in range(2):
        q, k, v = (encoder._split(encoder._linear(f"{layer}.{part}", x)) for part in ("query", "key", "value"))
        _, settings = method.of_layer(layer, 2, len(x), 16)
        results = attend_many(*(quantize(each, 4.0, TINY) for each in (q, k, v)), settings, TINY)
        stay = staying(results, len(x), TINY.tile, votes)
        context = (results.output * (4.0 / TINY.digit_max)).astype(np.float32)
        rows = context.swapaxes(0, 1).reshape(len(x), -1)[stay]
        gone += (~stay).sum()
        x = encoder._normalise(f"{layer}.context_norm", x[stay] + encoder._linear(f"{layer}.context", rows))
        x = encoder._normalise(f"{layer}.outer_norm", x + encoder._inner(layer, x))
    np.testing.assert_allclose(encoder.classify(x[0]), expected, rtol=1e-4, atol=1e-5)
    every = model.all_rows
    assert gone > 0 and every._linear().sum() == made[0]
    assert every.linear_saving == pytest.approx(1 - made[0] / sum(each.macs for each in model_linears(encoder, 20)))


def test_tokens_that_stay_change_nothing(encoder):
    """Without a token that leaves it is HDP; and a new text begins with all of its tokens."""
    method, plain = LeavingHdp(TINY, SCALES, threshold=0.001), Hdp(TINY, SCALES, threshold=0.001)
    method.masks, plain.masks = [], []
    model, same = after(encoder, method), after(encoder, plain)
    assert method.alive.all()
    for name, counts in model.work.counts.items():  # ten by ten blocks in each head, with a vote of 8 / 64
        np.testing.assert_array_equal(counts - same.work.counts[name], 12.5 if name == "decision" else 0)
    np.testing.assert_array_equal(method.masks, plain.masks)
    after(encoder, LeavingHdp(TINY, SCALES, threshold=2.0, votes=0.6))
    assert after(encoder, method).saving == model.saving


def test_masks_of_tokens_that_leave(encoder):
    """Over all tokens; in the second layer those that left are neither queries nor keys."""
    method = LeavingHdp(TINY, SCALES, threshold=2.0, votes=0.3)
    method.masks = []
    work = after(encoder, method).work
    first, second = method.masks
    there = work.counts["rows"][0, 0]
    assert first.shape == second.shape == (2, 20, 20)
    assert 1 <= (second.any((0, 1)) | second.any((0, 2))).sum() <= there < 20


def test_votes_are_a_share():
    with pytest.raises(ParameterError, match=re.escape("votes = 1 is not legal; legal: 0 up to, not including, 1")):
        LeavingHdp(TINY, SCALES, votes=1)


def test_an_oracle_saves_attention_alone(encoder):
    model = after(encoder, Oracle(TINY, 0.5), first_only=False)
    assert model.linear_saving == 0
    assert model.saving == pytest.approx(model.attention_share * model.work.net_saving)
