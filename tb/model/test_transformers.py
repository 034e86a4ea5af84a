"""The numpy models against Hugging Face's own code, where that is installed: hdp_hw/study/models/."""

import numpy as np
import pytest

from hdp_hw.study.models import EXTRA, Encoder
from hdp_hw.study.models.checkpoint import read_json
from hdp_hw.study.models.tensor_files import read_weights
from tb.lib.tiny_model import CONFIG, VIT

DISTILBERT = {
    "activation": "gelu",
    "dim": 32,
    "hidden_dim": 48,
    "max_position_embeddings": 24,
    "n_heads": 2,
    "n_layers": 2,
    "vocab_size": 20,
}
WORDS = CONFIG | {"max_position_embeddings": 26}  #: positions from 2 on
CASES = [
    ("bert", CONFIG, "gelu", "float32"),
    ("bert", CONFIG, "gelu", "bfloat16"),
    ("bert", CONFIG, "gelu", "float16"),
    ("bert", CONFIG, "gelu", "float64"),
    *[("bert", CONFIG, activation, "float32") for activation in ("gelu_new", "relu", "silu", "quick_gelu")],
    *[(kind, WORDS, "gelu", "float32") for kind in ("roberta", "xlm-roberta", "camembert", "data2vec-text")],
    ("electra", CONFIG | {"embedding_size": 32}, "gelu", "float32"),
    ("distilbert", DISTILBERT, "gelu", "float32"),
    ("vit", VIT, "gelu", "float32"),
    ("vit", VIT, "gelu_pytorch_tanh", "bfloat16"),
]


@pytest.mark.parametrize("shards", [False, True], ids=["one", "shards"])
@pytest.mark.parametrize(("kind", "config", "activation", "dtype"), CASES)
def test_outputs_equal_those_of_transformers(kind, config, activation, dtype, shards, tmp_path):
    """Random weights with a classifier of three labels, saved by transformers in a type and loaded by both."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("safetensors", reason=EXTRA)
    name = "activation" if kind == "distilbert" else "hidden_act"
    more = {"model_type": kind, "num_labels": 3, name: activation}
    config = transformers.AutoConfig.for_model(**(config | more))
    automatic = "AutoModelForImageClassification" if kind == "vit" else "AutoModelForSequenceClassification"
    automatic = getattr(transformers, automatic)
    theirs, rng = automatic.from_config(config), np.random.default_rng(3)
    theirs.load_state_dict(
        {x: torch.tensor(0.3 * rng.normal(size=y.shape)) for x, y in theirs.state_dict().items()}, strict=False
    )
    theirs.to(getattr(torch, dtype)).save_pretrained(tmp_path, max_shard_size="20KB" if shards else "1GB")
    theirs = automatic.from_pretrained(tmp_path, dtype=torch.float32).eval()
    tensors, source = read_weights(tmp_path)
    assert source.endswith(".index.json") == shards
    own = Encoder(read_json(tmp_path / "config.json"), tensors, source)
    given = rng.normal(size=(2, 3, 6, 6)).astype("f4") if kind == "vit" else rng.integers(3, 20, (2, 5))
    with torch.no_grad():
        logits = theirs(torch.tensor(given)).logits.numpy()
    assert logits.std() > 0.01 and own.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    np.testing.assert_allclose(own.classify(own(given)[..., 0, :]), logits, atol=2e-5)


@pytest.mark.parametrize("n_labels", [1, 3])
def test_pairs_and_regression(n_labels, tmp_path):
    """The second text of a pair has a type of its own; one output is a regression."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = transformers.AutoConfig.for_model(**CONFIG | {"type_vocab_size": 2, "num_labels": n_labels})
    theirs = transformers.AutoModelForSequenceClassification.from_config(config).eval()
    theirs.save_pretrained(tmp_path)
    own = Encoder(read_json(tmp_path / "config.json"), *read_weights(tmp_path))
    tokens, types = [3, 1, 4, 1, 5], [0, 0, 0, 1, 1]
    with torch.no_grad():
        logits = theirs(torch.tensor([tokens]), token_type_ids=torch.tensor([types])).logits.numpy()[0]
    given = [token + CONFIG["vocab_size"] * kind for token, kind in zip(tokens, types)]
    assert len(logits) == n_labels
    np.testing.assert_allclose(own.classify(own(given)[0]), logits, atol=1e-6)
