"""Small random encoders as images, and what they are to give."""

from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.driver import BusBackend
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.encoder import IntegerModel
from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.image import Image
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.encoder.calibrate import calibrate
from hdp_hw.study.encoder.integer import words_of
from hdp_hw.study.models import Encoder
from tb.lib.tiny_encoders import KINDS, inputs_of
from tb.lib.tiny_model import random_tensors

PARAMS = replace(CONFIGS["tiny"], encoder=1)
MASS = {"rule": "mass", "threshold": 3.0, "relative": True, "compensate": True, "tau_head": 1.0}
NARROW = HdpParams(max_seq_len=16, max_head_dim=16, tile=2, lanes=16, multiplier=18, encoder=1, bus_width=32)
WIDE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4}  #: several jobs a layer on NARROW


@dataclass(frozen=True, eq=False)
class Example:
    """A model, its image, and words of embeddings of inputs that calibration saw."""

    model: IntegerModel
    image: Image
    inputs: list

    def golden(self, words):
        """Words of hidden states, by the model without an image."""
        return self.model(words[None], self.image.params)[0]

    def on(self, bus):
        """CompiledModel on a bus."""
        return CompiledModel(self.image, BusBackend(bus))

    def bus(self, **more):
        """An EmulatedBus whose memory the image just fits into."""
        return EmulatedBus(self.image.params, **{"size": self.image.header["memory_bytes"]} | more)


def example_of(kind, n_labels=0, params=PARAMS, prune=None, tokens=(8, 16), **config):
    """Example of a random encoder; prune : fields of its LayerSettings; config : changes of config.json."""
    config = KINDS[kind] | config
    encoder = Encoder(config, random_tensors(config, n_labels))
    inputs = inputs_of(encoder)
    model = calibrate(encoder, inputs).model
    layers = [replace(layer, attention=replace(layer.attention, **prune or {})) for layer in model.layers]
    model = replace(model, layers=layers)
    words = [words_of(encoder.embed(each), model.embedding_unit) for each in inputs]
    return Example(model, compile_model(model, params, tokens), words)


def checked(example, compiled, words):
    """Hidden states of an input; they are the golden model's."""
    hidden = compiled(words)
    np.testing.assert_array_equal(hidden, example.golden(words))
    return hidden
