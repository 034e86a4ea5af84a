"""One head to run on a core by itself, and the beats by which it enters."""

from dataclasses import dataclass, field

import numpy as np

from hdp_hw.golden.bits.core.plane_loader import integer_and_fraction, value
from hdp_hw.spec.formats import STREAMS
from hdp_hw.spec.settings import HeadSettings


@dataclass(frozen=True, eq=False)
class HeadJob:
    """One head to run.

    settings : HeadSettings; q [n_q, d], k and v [n_k, d] : integers of 2w bits, of a linear layer its rows, its weights
    and its scales as golden.bits.encoder.linear_head packs them; beats : ``{plane: beats}`` of
    golden.bits.core.plane_loader that replace those of the operands.
    """

    settings: HeadSettings
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    beats: dict = field(default_factory=dict)

    @property
    def output_shape(self):
        """Of what the head gives: elements, or bytes of a linear layer's results."""
        settings = self.settings
        return (settings.n_q, settings.n_k * (1 + settings.words)) if settings.linear else self.q.shape

    def planes(self, params):
        """``{plane: beats}``."""
        integer, fraction = integer_and_fraction(self.q[: 0 if self.settings.reuse else None], self.k, params)
        return {"integer": integer, "fraction": fraction, "value": value(self.v, params), **self.beats}


def beats_of(jobs, params):
    """``{input of the core: beats}`` of several jobs in a row."""
    planes = [job.planes(params) for job in jobs]
    beats = {f"i_{name}": [beat for plane in planes for beat in plane[name]] for name in STREAMS}
    return {"i_settings": [tuple(job.settings.carried(params).values()) for job in jobs], **beats}
