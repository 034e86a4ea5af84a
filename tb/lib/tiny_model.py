"""A random model of two layers and two heads, and examples, as folders and files have them."""

import json

import numpy as np
import pytest

from hdp_hw.study.models import EXTRA
from hdp_hw.study.models.tensors import tensor_names

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 32,
    "intermediate_size": 48,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "type_vocab_size": 1,
    "vocab_size": 20,
}
VIT = {name: value for name, value in CONFIG.items() if "vocab" not in name and "positions" not in name} | {
    "model_type": "vit",
    "image_size": 6,
    "patch_size": 2,
    "num_channels": 3,
}


def random_tensors(config=CONFIG, n_labels=0):
    """Tensors of a model by their names in a checkpoint."""
    rng = np.random.default_rng(1)
    shapes = tensor_names(config, n_labels).values()
    tensors = {name: 0.3 * rng.normal(size=shape).astype(np.float32) for name, shape in shapes}
    return tensors | {name: np.ones_like(x) for name, x in tensors.items() if name.endswith("LayerNorm.weight")}


def write_model(folder, config=CONFIG, tensors=None, n_labels=0):
    """Write config.json, model.safetensors and tokenizer.json; numbers are tokens. Skips the test without the extra.

    tensors : random ones unless given, with a classifier of ``n_labels``.
    """
    save_file = pytest.importorskip("safetensors.numpy", reason=EXTRA).save_file
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_tensors(config, n_labels) if tensors is None else tensors, folder / "model.safetensors")
    if "vocab_size" in config:
        write_tokenizer(folder, config["vocab_size"])
    return folder


def write_tokenizer(folder, n):
    """Write tokenizer.json, whose tokens are the numbers below ``n``."""
    tokenizers = pytest.importorskip("tokenizers", reason=EXTRA)
    vocabulary = {str(token): token for token in range(n)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def write_pairs(path, n=24, seed=1):
    """Write ``n`` pairs of random texts of 6 to 14 tokens with a random similarity."""
    rng = np.random.default_rng(seed)

    def text():
        return " ".join(map(str, rng.integers(0, CONFIG["vocab_size"], rng.integers(6, 15))))

    path.write_text("".join(f"{text()}\t{text()}\t{rng.random():.2f}\n" for _ in range(n)))
    return path
