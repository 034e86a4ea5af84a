"""Two texts as one input of a model: its tokens, their types, and what is cut: hdp_hw/study/models/."""

import numpy as np
import pytest

from hdp_hw.study.models import EXTRA, Encoder, ModelError, load_model
from hdp_hw.study.tasks import load_task
from hdp_hw.study.tasks.classification import Classification
from tb.lib.tiny_model import CONFIG, random_tensors, write_model

CLS, SEP = 18, 19
TYPED = CONFIG | {"type_vocab_size": 2}
TYPES = "embeddings.token_type_embeddings.weight"


def pair_model(folder, config=TYPED, n_labels=0):
    """A model whose tokenizer marks both texts as that of BERT does."""
    tokenizers = pytest.importorskip("tokenizers", reason=EXTRA)
    write_model(folder, config, n_labels=n_labels)
    path = str(folder / "tokenizer.json")
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(str(CLS), CLS), (str(SEP), SEP)],
    )
    tokenizer.save(path)
    return load_model(folder)


def test_tokens_of_the_second_text_have_its_type(tmp_path):
    model = pair_model(tmp_path / "typed")
    assert model.read(["1 2"]) == [[CLS, 1, 2, SEP]]
    (pair,) = model.read([("1 2", "3")])
    assert pair == [CLS, 1, 2, SEP, 20 + 3, 20 + SEP]
    assert model.names(pair) == ["18", "1", "2", "19", "3", "19"]
    assert model.read([("1 2 4 5 6", "3")], 7) == [[CLS, 1, 2, 4, SEP, 23, 39]]
    (pair,) = pair_model(tmp_path / "plain", CONFIG).read([("1 2", "3")])
    assert pair == [CLS, 1, 2, SEP, 3, SEP]  # the model has one type


def test_a_model_of_one_text_refuses_pairs(tmp_path):
    model = load_model(write_model(tmp_path))
    with pytest.raises(
        ModelError, match=r"tokenizer\.json does not say how two texts make one input; the model takes one"
    ):
        model.read([("1 2", "3")])


def test_the_encoder_adds_the_embedding_of_each_type():
    tensors, tokens = random_tensors(TYPED), np.array([CLS, 1, 2, SEP, 3, SEP])
    types = np.array([0, 0, 0, 0, 1, 1])
    first, second = tensors[TYPES]
    words = "embeddings.word_embeddings.weight"
    expected = Encoder(  # the types of a position, added to its word instead: words 23 and 39 are of type 1
        CONFIG | {"vocab_size": 40},
        tensors | {TYPES: np.zeros((1, 32), np.float32),
                   words: np.concatenate([tensors[words] + first, tensors[words] + second])},
    )  # fmt: skip
    pair = tokens + 20 * types
    np.testing.assert_allclose(Encoder(TYPED, tensors)(pair), expected(pair), rtol=1e-5, atol=1e-5)
    assert np.abs(Encoder(TYPED, tensors)(pair) - Encoder(TYPED, tensors)(tokens)).max() > 0.01


def test_a_file_of_pairs(tmp_path):
    model = pair_model(tmp_path / "model", n_labels=3)
    path = tmp_path / "nli.tsv"
    path.write_text("premise\thypothesis\tgold_label\n1 2\t3\tLABEL_2\n1 2\t4 5 6\t-\n3\t3\tlabel_0\n")
    task = load_task(path, model, max_tokens=5)
    assert type(task) is Classification and task.inputs == [[CLS, 1, SEP, 23, 39], [CLS, 3, SEP, 23, 39]]
    assert task.labels.tolist() == [2, 0] and task.predict(model.run(task.inputs)).shape == (2,)
    assert task.describe() == (
        "nli: 2 pairs of texts with a class (1 LABEL_0, 0 LABEL_1, 1 LABEL_2); texts in 'premise' and 'hypothesis', "
        "label in 'gold_label'; tabs between columns; 1 without consensus left out; "
        "1 of 2 inputs cut to 5 tokens; accuracy"
    )
