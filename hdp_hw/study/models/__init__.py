"""Transformers in float32 numpy, whose attention can be replaced: by integers, by the golden model, by a recorder."""

from hdp_hw.study.models.checkpoint import find_model, load_model
from hdp_hw.study.models.encoder import Encoder, softmax_attention
from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.models.folder import model_files
from hdp_hw.study.models.model import Model
from hdp_hw.study.models.tensor_files import EXTRA

__all__ = ["EXTRA", "Encoder", "Model", "ModelError", "find_model", "load_model", "model_files", "softmax_attention"]
