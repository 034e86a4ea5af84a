"""Whole encoders on a co-processor: jobs of linear layers, and the bits of the golden model."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator
from hdp_hw.encoder import Coprocessor, Linear
from hdp_hw.encoder.coprocessor import packed_scales, parts
from hdp_hw.golden.bits.encoder.linear_head import packed, unpacked
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import SCALES_FIELDS, Activation
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.encoder.calibrate import calibrate
from hdp_hw.study.encoder.integer import IntegerEncoder
from tb.lib.linear_layers import random_table
from tb.lib.tiny_encoders import KINDS, encoder_of, inputs_of

PARAMS = replace(CONFIGS["tiny"], encoder=1)
MASS = {"rule": "mass", "threshold": 3.0, "relative": True, "compensate": True, "tau_head": 1.0}
CORES = {
    "tiny": PARAMS,
    "cores": replace(PARAMS, n_cores=3, bus_width=128),
    "short": HdpParams(tile=2, lanes=16, max_head_dim=16, max_seq_len=16, multiplier=18, encoder=1),
    "large": HdpParams(tile=8, lanes=64, max_head_dim=32, max_seq_len=64, multiplier=18, encoder=1),
}


def random_layer(rng, k, n_out, words, activation):
    limits = {name: 1 << width for name, width in SCALES_FIELDS.items()}
    scales = {name: rng.integers(0, high, n_out) for name, high in limits.items()}
    scales["bias"] -= limits["bias"] >> 1
    table = random_table(rng) if activation == Activation.TABLE else None
    factor = None if words else scales["factor"]
    weight = rng.integers(-119, 120, (n_out, k))
    return Linear(weight, scales["bias"], scales["mult"], scales["shift"], activation, table, factor)


@pytest.mark.parametrize("core", CORES)
def test_any_layer(core):
    """Rows, inputs and channels of any number: the bits of the layer itself."""
    params, rng = CORES[core], np.random.default_rng(3)
    coprocessor = Coprocessor(Emulator(params))
    for n, k, n_out in [(1, 1, 1), (3, 33, 70), *rng.integers(1, [60, 90, 120], (6, 3)).tolist()]:
        layer = random_layer(rng, k, n_out, bool(rng.integers(2)), Activation(rng.integers(3)))
        x = rng.integers(-119, 120, (2, n, k))
        np.testing.assert_array_equal(coprocessor.linear(layer, x), layer(x))
    assert coprocessor.jobs["linear"] >= 8 and coprocessor.counters["linear"]["cycles"] > 1000


def test_parts_cover_a_layer_once():
    rng = np.random.default_rng(4)
    layer = random_layer(rng, 100, 75, False, Activation.NONE)
    computed = np.zeros((70, 75), int)
    for part in parts(layer, rng.integers(-119, 120, (70, 100)), PARAMS):
        computed[part.row : part.row + part.job.q.shape[1], part.channel : part.channel + part.channels] += 1
    assert (computed == 1).all()


def test_scales_are_those_of_the_golden_model():
    layer = random_layer(np.random.default_rng(5), 8, 50, False, Activation.NONE)
    fields = {name: getattr(layer, name) for name in SCALES_FIELDS}
    np.testing.assert_array_equal(packed_scales(layer), packed(fields))
    for name, values in unpacked(packed(fields)).items():
        np.testing.assert_array_equal(values, fields[name])


@pytest.mark.parametrize("prune", [{}, MASS], ids=["dense", "mass"])
@pytest.mark.parametrize("kind", KINDS)
def test_whole_encoders(kind, prune):
    encoder = encoder_of(kind, 3)
    inputs = inputs_of(encoder)
    model = calibrate(encoder, inputs).model
    layers = [replace(layer, attention=replace(layer.attention, **prune)) for layer in model.layers]
    model = replace(model, layers=layers)
    coprocessor = Coprocessor(Emulator(PARAMS))
    on_it, golden = (IntegerEncoder(encoder, model, PARAMS, coprocessor=each) for each in (coprocessor, None))
    for example in inputs[:3]:
        np.testing.assert_array_equal(on_it(example), golden(example))
    assert coprocessor.jobs["attention"] == 3 * encoder.n_layers
    assert coprocessor.jobs["linear"] >= 3 * 4 * encoder.n_layers


@pytest.mark.parametrize(
    ("params", "k", "message"),
    [
        (CONFIGS["tiny"], 8, "encoder = 0 is not legal; legal: 1"),
        (PARAMS, 513, "inputs of a linear layer = 513 is not legal; legal: 1 to 512 on this core"),
        (PARAMS, PARAMS.max_inputs + 1, "legal: 1 to 512 on this core"),
    ],
)
def test_what_does_not_fit(params, k, message):
    layer = random_layer(np.random.default_rng(6), k, 8, False, Activation.NONE)
    with pytest.raises(ParameterError, match=message):
        Coprocessor(Emulator(params)).linear(layer, np.zeros((1, 2, k), int))
