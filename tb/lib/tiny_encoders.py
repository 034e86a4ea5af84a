"""Small random encoders of every kind, and inputs of theirs."""

import numpy as np

from hdp_hw.study.models import Encoder
from hdp_hw.study.models.layouts import LAYOUTS
from tb.lib.tiny_model import CONFIG, VIT, random_tensors

DISTILBERT = {
    LAYOUTS["distilbert"].settings[name]: CONFIG[key]
    for name, key in LAYOUTS["bert"].settings.items()
    if name in LAYOUTS["distilbert"].settings
}
KINDS = {
    "bert": CONFIG,
    "relu": CONFIG | {"hidden_act": "relu"},
    "roberta": CONFIG | {"model_type": "roberta", "layer_norm_eps": 1e-5},
    "distilbert": DISTILBERT | {"model_type": "distilbert"},
    "vit": VIT,
}


def encoder_of(kind, n_labels=0):
    config = KINDS[kind]
    return Encoder(config, random_tensors(config, n_labels))


def inputs_of(encoder, n=24, seed=2):
    rng = np.random.default_rng(seed)
    if encoder.layout.images:
        return list(rng.normal(size=(n, *encoder.image_shape)).astype(np.float32))
    return [rng.integers(0, encoder.n_tokens, rng.integers(4, 15)) for _ in range(n)]


def rows_of(encoder, hidden):
    """Of hidden states, what is read: the first row before a classifier."""
    return hidden[..., : 1 if encoder.n_labels else None, :]
