"""Encoders in integers: jobs that compute beside attention, and the model that they make up."""

from hdp_hw.encoder.coprocessor import Coprocessor
from hdp_hw.encoder.jobs import Linear, Norm
from hdp_hw.encoder.model import IntegerModel, Layer

__all__ = ["Coprocessor", "IntegerModel", "Layer", "Linear", "Norm"]
