"""Whole encoders in integers: their jobs, and rows that nobody reads."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver
from hdp_hw.encoder import Linear, Norm
from hdp_hw.encoder.jobs import Affine
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import MAX_INPUTS, OPERAND_MAX, Activation
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.encoder.calibrate import calibrate
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.statistics import cosines
from tb.lib.tiny_encoders import KINDS, encoder_of, inputs_of, rows_of

PARAMS = CONFIGS["tiny"]
MASS = {"rule": "mass", "threshold": 3.0, "relative": True, "compensate": True, "tau_head": 1.0}


@pytest.fixture(scope="module", params=[(kind, n_labels) for kind in KINDS for n_labels in (0, 3)], ids=str)
def made(request):
    """``(encoder, Built, inputs that calibration did not see)``."""
    encoder = encoder_of(*request.param)
    inputs = inputs_of(encoder, 60)
    return encoder, calibrate(encoder, inputs[:40]), inputs[40:]


# -- the model --------------------------------------------------------------------------------------------------------
def test_near_floats(made):
    """What is read of the hidden states has nearly the direction that floats give it."""
    encoder, built, inputs = made
    integer = IntegerEncoder(encoder, built.model, PARAMS)
    for example in inputs:
        exact, found = rows_of(encoder, encoder(example)), integer(example)
        assert found.shape == exact.shape
        assert cosines(found.ravel(), exact.ravel()) > 0.99


def test_batches_change_nothing(made, monkeypatch):
    encoder, built, inputs = made
    batch = np.stack([each[:4] for each in inputs])[:5] if not encoder.layout.images else np.stack(inputs)[:5]
    integer = IntegerEncoder(encoder, built.model, PARAMS)
    together = integer(batch)
    monkeypatch.setattr("hdp_hw.encoder.model.ELEMENTS", 1)
    np.testing.assert_array_equal(integer(batch), together)
    np.testing.assert_array_equal(np.stack([integer(each) for each in batch]), together)


@pytest.mark.parametrize("prune", [{}, MASS])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_nobody_reads(kind, prune):
    """Leaving them out changes no bit of the row that is read, whether heads prune or not."""
    encoder = encoder_of(kind, 3)
    inputs = inputs_of(encoder)
    built = calibrate(encoder, inputs)
    layers = [replace(layer, attention=replace(layer.attention, **prune)) for layer in built.model.layers]
    model = replace(built.model, layers=layers)
    shapes, pruned = [], []

    def observe(layer, settings, results):
        shapes.append((layer, settings[0].n_q))
        pruned.append(results.n_kept.mean() / results.n_visited)

    for example in inputs[:6]:
        first = IntegerEncoder(encoder, model, PARAMS, observe)(example)
        everything = IntegerEncoder(encoder, replace(model, first_only=False), PARAMS)(example)
        np.testing.assert_array_equal(first, everything[..., :1, :])
        assert everything.shape[-2] == encoder.seq_len(example) > first.shape[-2] == 1
    last = {n_q for layer, n_q in shapes if layer == encoder.n_layers - 1}
    assert (last == {1}) == (not prune) and (min(pruned) < 1) == bool(prune)


def test_attention_is_what_the_driver_gives():
    """The same job, through the emulator of the co-processor."""
    encoder = encoder_of("bert")
    inputs = inputs_of(encoder)
    layers = [replace(layer.attention, **MASS) for layer in calibrate(encoder, inputs).model.layers]
    model = calibrate(encoder, inputs, layers).model
    seen = []
    IntegerEncoder(encoder, model, PARAMS, lambda layer, settings, results: seen.append(results))(inputs[0])
    words = np.rint(encoder.embed(inputs[0]) / model.embedding_unit).astype(np.int64)[None]
    x = model.entry(words)[1]
    layer = model.layers[0]
    q, k, v = (job(x)[0].reshape(-1, 2, 16).swapaxes(0, 1) for job in (layer.query, layer.key, layer.value))
    output, statistics = HdpDriver(Emulator(PARAMS)).attend(q, k, v, layer.attention)
    np.testing.assert_array_equal(output, seen[0].output[0])
    assert statistics.kept == tuple(seen[0].n_kept[0])
    context = output.swapaxes(0, 1).reshape(1, -1, 32)
    following = layer.context_norm(model.entry(words)[0], layer.context(context))[1]
    assert following.shape == context.shape and 60 < np.abs(following).max() <= OPERAND_MAX


def test_saturation_of_what_calibration_did_not_see():
    """Embeddings ten times as large give finite words, not other signs."""
    encoder = encoder_of("vit")
    inputs = inputs_of(encoder)
    integer = IntegerEncoder(encoder, calibrate(encoder, inputs).model, PARAMS)
    assert cosines(integer(10 * inputs[0]).ravel(), encoder(10 * inputs[0]).ravel()) > 0.8


# -- jobs that are refused --------------------------------------------------------------------------------------------
def job(**changes):
    fields = {"weight": np.zeros((2, 8), np.int8), "bias": np.zeros(2, int), "mult": np.zeros(2, int)}
    return Linear(**(fields | {"shift": np.zeros(2, int)} | changes))


def rows_of_gamma(n=8, **changes):
    return Affine(**({"gamma": np.zeros(n, int), "beta": np.zeros(n, int), "shift": 8} | changes))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: job(weight=np.zeros((2, MAX_INPUTS + 1), np.int8)),
            "linear layer = 4097 is not legal; legal: 1 to 4096",
        ),
        (lambda: job(weight=np.full((2, 8), -120, np.int8)), "weight = -120 is not legal; legal: -119 to 119"),
        (lambda: job(weight=np.zeros((2, 8))), "weight = 'float64 (2, 8)' is not legal; legal: integers (2, 8)"),
        (lambda: job(bias=np.full(2, 2**26)), "bias = 67108864 is not legal; legal: -67108864 to 67108863"),
        (lambda: job(mult=np.full(2, 2**16)), "mult = 65536 is not legal; legal: 0 to 65535"),
        (lambda: job(mult=np.zeros(3, int)), "legal: integers (2,)"),
        (lambda: job(shift=np.full(2, 16)), "shift = 16 is not legal; legal: 0 to 15"),
        (lambda: job(factor=np.full(2, -1)), "factor = -1 is not legal; legal: 0 to 65535"),
        (lambda: job(activation=Activation.TABLE), "legal: one with activation TABLE, and only there"),
        (lambda: job(activation=Activation.TABLE, table=np.zeros((5, 2), int)), "legal: integers (512, 2)"),
        (lambda: rows_of_gamma(shift=7), "shift = 7 is not legal; legal: 8 to 15"),
        (lambda: rows_of_gamma(beta=np.full(8, 2**15)), "beta = 32768 is not legal; legal: -32768 to 32767"),
        (lambda: Norm(None, rows_of_gamma(1)), "normalised row = 1 is not legal; legal: 2 to 4095"),
        (lambda: Norm(None, rows_of_gamma(), a=2**16), "a = 65536 is not legal; legal: 0 to 65535"),
        (lambda: Norm(None, rows_of_gamma(), epsilon=2**54), "epsilon = 18014398509481984 is not legal"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ParameterError) as error:
        make()
    assert message in str(error.value)
