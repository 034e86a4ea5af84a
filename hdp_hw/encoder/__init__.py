"""Encoders in integers: jobs that compute beside attention, the model that they make up, and its image in memory."""

from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.image import Image, ImageError
from hdp_hw.encoder.jobs import Linear, Norm
from hdp_hw.encoder.model import IntegerModel, Layer

__all__ = [
    "CompiledModel",
    "Image",
    "ImageError",
    "IntegerModel",
    "Layer",
    "Linear",
    "Norm",
    "compile_model",
]
