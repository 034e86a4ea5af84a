"""An encoder that computes in integers, for whatever takes an Encoder."""

from typing import Any

import numpy as np

from hdp_hw.encoder.model import IntegerModel, Observe, unobserved
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.encoder.units import WORD_MAX
from hdp_hw.study.models import Encoder


def words_of(embeddings: np.ndarray, unit: float) -> np.ndarray:
    """The nearest words of embeddings; what is beyond saturates."""
    return np.clip(np.rint(embeddings / unit), -WORD_MAX, WORD_MAX).astype(np.int64)


class IntegerEncoder(Encoder):
    """An Encoder whose layers are an IntegerModel; embeddings, and the classifier behind it, stay in float.

    Parameters
    ----------
    encoder : Encoder
        The one of floats.
    model : IntegerModel
        Made of it.
    params : HdpParams
        Core that computes the attention.
    observe : callable
        Called after each layer's attention, see :class:`hdp_hw.encoder.model.IntegerModel`.
    """

    def __init__(self, encoder: Encoder, model: IntegerModel, params: HdpParams, observe: Observe = unobserved) -> None:
        vars(self).update(vars(encoder))
        self.model, self.params, self.observe = model, params, observe

    def __call__(self, inputs: Any, attention: None = None) -> np.ndarray:
        """Hidden states as of :class:`hdp_hw.study.models.Encoder`; of a classifier, [..., 1, hidden_size]."""
        words = words_of(self.embed(inputs), self.model.embedding_unit)
        batch = words.reshape(-1, *words.shape[-2:])
        hidden = self.model(batch, self.params, self.observe) * self.model.hidden_unit
        return hidden.astype(np.float32).reshape(*words.shape[:-2], *hidden.shape[1:])
