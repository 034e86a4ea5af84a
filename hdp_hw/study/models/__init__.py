"""Transformers in float32 numpy, whose attention can be replaced: by integers, by the golden model, by a recorder."""

from hdp_hw.study.models.checkpoint import EXTRA, ModelError, find_model, load_model
from hdp_hw.study.models.encoder import Encoder, softmax_attention
from hdp_hw.study.models.model import Model

__all__ = ["EXTRA", "Encoder", "Model", "ModelError", "find_model", "load_model", "softmax_attention"]
