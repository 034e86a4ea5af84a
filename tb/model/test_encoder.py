"""The numpy BERT encoder, on a tiny random model and, where the `models` extra is installed, on the real one."""

import json
import math

import numpy as np
import pytest

from golden import capture, encoder, reference
from golden.encoder import Encoder, ModelError, find_model, gelu, load_encoder, load_tokenizer, tensor_shapes
from golden.passages import PASSAGES

CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": 12,
    "intermediate_size": 20,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 9,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "type_vocab_size": 2,
    "vocab_size": 15,
}
TOKENS = [3, 1, 4, 1, 5]
VALUE_OF_LAYER_1 = "encoder.layer.1.attention.self.value.weight"


def random_tensors(config=CONFIG):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in tensor_shapes(config).items()}


@pytest.fixture(scope="module")
def model():
    """Directory of the real model; the test is skipped where it is not installed."""
    try:
        directory = find_model(capture.MODEL)
        load_tokenizer(directory)
        load_encoder(directory)
    except ModelError as error:
        pytest.skip(str(error))
    return directory


def reference_bert(tensors, tokens):
    """The tiny model again, in float64, element by element where the encoder works on whole arrays."""
    t = {name: array.astype(np.float64) for name, array in tensors.items()}

    def linear(name, x):
        return x @ t[name + ".weight"].T + t[name + ".bias"]

    def norm(name, x):
        x = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
        return x * t[name + ".LayerNorm.weight"] + t[name + ".LayerNorm.bias"]

    words, positions, types = (t[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type"))
    x = norm("embeddings", np.stack([words[token] + positions[i] + types[0] for i, token in enumerate(tokens)]))
    for layer in range(CONFIG["num_hidden_layers"]):
        name = f"encoder.layer.{layer}."
        q, k, v = (linear(f"{name}attention.self.{part}", x) for part in ("query", "key", "value"))
        heads = [reference.attention(q[:, h : h + 4], k[:, h : h + 4], v[:, h : h + 4]) for h in (0, 4, 8)]
        x = norm(name + "attention.output", x + linear(name + "attention.output.dense", np.concatenate(heads, 1)))
        inner = np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)(linear(name + "intermediate.dense", x))
        x = norm(name + "output", x + linear(name + "output.dense", inner))
    return x


def test_encoder_equals_a_plain_float64_bert():
    tensors = random_tensors()
    hidden = Encoder(CONFIG, tensors)(TOKENS)
    assert hidden.shape == (5, 12) and hidden.dtype == np.float32
    np.testing.assert_allclose(hidden, reference_bert(tensors, TOKENS), atol=2e-5)
    prefixed = Encoder(CONFIG, {f"bert.{name}": array for name, array in tensors.items()})
    np.testing.assert_array_equal(prefixed(TOKENS), hidden)


def test_embedding_is_the_mean_hidden_state_of_length_1():
    tiny = Encoder(CONFIG, random_tensors())
    mean = tiny(TOKENS).mean(0)
    assert reference.cosine(tiny.embed(TOKENS), mean) == pytest.approx(1)
    assert np.linalg.norm(tiny.embed(TOKENS)) == pytest.approx(1)


def test_attention_is_replaceable():
    tiny = Encoder(CONFIG, random_tensors())
    seen = []

    def attention(layer, q, k, v):
        seen.append((layer, q.shape, k.shape, v.shape))
        return np.zeros_like(v)

    assert not np.array_equal(tiny(TOKENS, attention), tiny(TOKENS))
    assert seen == [(layer, *3 * [(3, 5, 4)]) for layer in (0, 1)]


def test_gelu():
    x = np.linspace(-8, 8, 4001, dtype=np.float32)
    exact = [z * (1 + math.erf(z / math.sqrt(2))) / 2 for z in x.astype(float)]
    np.testing.assert_allclose(gelu(x), exact, atol=1e-6)


def test_bad_tensors_are_all_named():
    tensors = random_tensors()
    del tensors["embeddings.LayerNorm.bias"], tensors["encoder.layer.0.output.dense.weight"]
    tensors[VALUE_OF_LAYER_1] = np.zeros((12, 11), np.float32)
    with pytest.raises(ModelError) as error:
        Encoder(CONFIG, tensors)
    assert str(error.value) == (
        "tensors do not fit config.json: embeddings.LayerNorm.bias is missing; "
        "encoder.layer.0.output.dense.weight is missing; " + VALUE_OF_LAYER_1 + " has shape (12, 11), not (12, 12)"
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"hidden_act": "relu"}, "config.json: hidden_act = 'relu' is not supported; supported: 'gelu'"),
        ({"model_type": "t5"}, "config.json: model_type = 't5' is not supported; supported: 'bert'"),
        (
            {"num_attention_heads": 5},
            "config.json: hidden_size = 12 is not legal; legal: a multiple of num_attention_heads = 5",
        ),
        ({"vocab_size": None}, "config.json: vocab_size is missing"),
    ],
)
def test_bad_configs(change, message):
    config = {name: value for name, value in (CONFIG | change).items() if value is not None}
    with pytest.raises(ModelError) as error:
        Encoder(config, random_tensors())
    assert str(error.value) == message


@pytest.mark.parametrize("n", [0, 10])
def test_too_few_or_many_tokens(n):
    with pytest.raises(ValueError, match=f"{n} tokens; legal: 1 to 9"):
        Encoder(CONFIG, random_tensors())([1] * n)


def test_load_encoder(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy", reason=encoder.EXTRA).save_file
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        load_encoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        load_encoder(tmp_path)
    tensors = random_tensors()
    save_file(tensors, tmp_path / "model.safetensors")
    assert find_model(str(tmp_path)) == tmp_path
    np.testing.assert_array_equal(load_encoder(tmp_path)(TOKENS), Encoder(CONFIG, tensors)(TOKENS))
    del tensors[VALUE_OF_LAYER_1]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=f"{tmp_path}: tensors do not fit config.json: {VALUE_OF_LAYER_1} is missing"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["no-such-model", "numpy", "no/such/folder"])
def test_find_model_refuses(name):
    with pytest.raises(ModelError, match=r"is neither a directory nor an installed package with a model\.safetensors"):
        find_model(name)


def test_real_model_tells_similar_sentences_from_others(model):
    real, tokenize = load_encoder(model), load_tokenizer(model)
    guitar, same, other = (
        real.embed(tokenize(text, 256))
        for text in ("A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell sharply.")
    )
    assert guitar @ same > 0.8 and abs(guitar @ other) < 0.15


def test_passages_have_the_tokens_they_say(model):
    tokenize = load_tokenizer(model)
    assert {name: len(tokenize(text, n)) for name, (n, text) in PASSAGES.items()} == {
        name: n for name, (n, _) in PASSAGES.items()
    }
