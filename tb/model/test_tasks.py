"""Tasks: their files, metrics, splits and probes: hdp_hw/study/tasks/."""

import numpy as np
import pytest

from hdp_hw.study.models import Encoder, Model
from hdp_hw.study.statistics import accuracy, cosines, label_flips, paired_error, spearman
from hdp_hw.study.tasks import TaskError, compare, load_task
from hdp_hw.study.tasks.classification import Classification
from hdp_hw.study.tasks.fidelity import Fidelity
from hdp_hw.study.tasks.regression import Regression
from hdp_hw.study.tasks.similarity import Similarity
from tb.model.test_models import CONFIG, VIT, random_tensors


def model(config=CONFIG, n_labels=0):
    encoder = Encoder(config, random_tensors(config, n_labels))

    def lengths(text, limit):
        words = text.split() if isinstance(text, str) else f"{text[0]} | {text[1]}".split()
        return [len(word) for word in words][:limit]

    return Model("tiny", encoder, lengths, list, ("no", "yes", "maybe")[:n_labels])


def written(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


# -- files ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text", "kind", "labels", "first"),
    [
        ("sst.tsv", "sentence\tlabel\nso \"good\t1\n\nbad\t0\n", Classification, [1, 0], [2, 5]),
        ("sst.tsv", "so good\t1\nbad\t0\n", Classification, [1, 0], [2, 4]),
        ("names.csv", "label,id,text\nYes,7,\"good, or\"\nno,8,bad\n", Classification, [1, 0], [5, 2]),
        ("sts.csv", "\"a b, c\",a,2.5\nb,\"a b, c\",4\n", Similarity, [2.5, 4], [1, 2, 1]),
        ("plain.txt", "one two\n\nthree\n", Fidelity, [0, 0], [3, 3]),
    ],
)  # fmt: skip
def test_files(tmp_path, name, text, kind, labels, first):
    path = written(tmp_path, name, text)
    task = load_task(path, model(n_labels=2 if kind is Classification else 0))
    assert type(task) is kind and task.labels.tolist() == labels and task.inputs[0] == first
    assert len(load_task(path, task.model, limit=1).labels) == 1
    assert load_task(path, task.model, max_tokens=1).inputs[0] == first[:1]


def test_images(tmp_path):
    vision = Model("tiny", Encoder(VIT, random_tensors(VIT, 3)), lambda image, limit: image, list, ("a", "b", "c"))
    images = np.random.default_rng(1).normal(size=(5, 3, 6, 6))
    np.savez(tmp_path / "a.npz", images=images, labels=[0, 1, 2, 0, 1])
    task = load_task(tmp_path / "a.npz", vision, limit=4)
    assert len(task.inputs) == 4 and task.predict(vision.run(task.inputs)).shape == (4,)
    about = "a: 4 of 5 examples, drawn with seed 0; the file: 5 images with a class (2 a, 2 b, 1 c); accuracy"
    assert task.describe() == about
    assert load_task(tmp_path / "a.npz", vision).labels.tolist() == [0, 1, 2, 0, 1]


# -- what was understood ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("n_labels", "text", "kind", "labels", "about"),
    [
        (2, "text,class\na b,1\nc,No\nd,1.0\n", Classification, [1, 0, 1], "3 texts with a class (1 no, 2 yes)"),
        (3, "premise,hypothesis,label\na b,c,maybe\nb,c,0\n", Classification, [2, 0],
         "2 pairs of texts with a class (1 no, 0 yes, 1 maybe)"),
        (1, "sentence1,sentence2,score\na b,c,0.5\nb,c,3\n", Regression, [0.5, 3],
         "2 pairs of texts with a score (0.5 to 3)"),
        (1, "text,stars\na b,5\nb,3\n", Regression, [5, 3], "2 texts with a score (3 to 5)"),
        (0, "sentence1,sentence2,score\na b,c,0.5\nb,c,3\n", Similarity, [0.5, 3],
         "2 pairs of texts with a score (0.5 to 3)"),
        (0, "text,label\na b,ham\nb,spam\nc,ham\nd,spam\n", Classification, [0, 1, 0, 1],
         "4 texts with a class (2 ham, 2 spam)"),
        (0, "text,stars\na b,1\nb,5\nc,5\nd,1\n", Classification, [0, 1, 1, 0], "4 texts with a class (2 1, 2 5)"),
        (0, "id,text\n3,a b\n4,c\n", Fidelity, [0, 0], "2 texts without labels"),
        (3, "sentence1,sentence2\na b,c\nd,e\n", Fidelity, [0, 0], "2 pairs of texts without labels"),
    ],
)  # fmt: skip
def test_what_was_understood(tmp_path, n_labels, text, kind, labels, about):
    task = load_task(written(tmp_path, "a.csv", text), model(n_labels=n_labels))
    assert type(task) is kind and task.labels.tolist() == labels
    assert task.describe().startswith(f"a: {about}; text") and task.describe().endswith(f"; {kind.metric_name}")
    fitted = task.fit(task.model.run(task.inputs))
    assert compare(fitted, fitted.dense).loss == 0


def test_a_classifier_reads_a_pair_as_one_input(tmp_path):
    path = written(tmp_path, "a.csv", "premise,hypothesis,label\naa b,ccc,0\nb,ccc,2\naa b,ccc,1\n")
    task = load_task(path, model(n_labels=3))
    assert task.inputs == [[2, 1, 1, 3], [1, 1, 3]] and task.uses.tolist() == [[0], [1], [0]]
    outputs = np.array([[1.0, 3, 2], [0, 0, 4]])
    assert task.predict(outputs).tolist() == [1, 2, 1] and task.metric(task.predict(outputs), task.labels) == 2 / 3


def test_regression_predicts_by_the_only_output(tmp_path):
    path = written(tmp_path, "a.csv", "sentence1,sentence2,score\naa b,ccc,0\nb,ccc,2\nb,c,1\n")
    task = load_task(path, model(n_labels=1))
    outputs = np.array([[0.5], [-2.0], [0.1]])
    assert task.predict(outputs).tolist() == [0.5, -2, 0.1] and task.metric(task.predict(outputs), task.labels) == -1


def test_cut_texts_and_samples_are_said(tmp_path):
    path = written(tmp_path, "a.tsv", "text\tlabel\na b c\t1\na b\t0\nd\t1\n")
    task = load_task(path, model(n_labels=2), max_tokens=2, limit=2, seed=1)
    assert task.describe() == (
        "a: 2 of 3 examples, drawn with seed 1; the file: 3 texts with a class (1 no, 2 yes); text in 'text', label in "
        "'label'; tabs between columns; 1 of 2 inputs cut to 2 tokens; accuracy"
    )
    assert load_task(path, model(n_labels=2)).describe().endswith("; none cut to 9 tokens; accuracy")


def test_classes_of_stars_are_named_by_their_number(tmp_path):
    stars = Model("s", model(n_labels=3).encoder, lambda text, limit: [1], list, ("1 star", "2 stars", "3 stars"))
    assert load_task(written(tmp_path, "a.csv", "text,stars\na,1\nb,3\n"), stars).labels.tolist() == [0, 2]
    with pytest.raises(TaskError, match=r"line 2: the label '0' in 'stars' is not legal; legal: 1 star, 2 stars, 3 st"):
        load_task(written(tmp_path, "a.csv", "text,stars\na,0\nb,3\n"), stars)


def test_passages_without_a_file():
    assert len(load_task(None, model()).inputs) == 10


# -- metrics ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("predictions", "labels", "expected"),
    [
        ([1.0, 2, 3], [10, 20, 30], 1.0),
        ([1.0, 2, 3], [3, 2, 1], -1.0),
        ([1.0, 1, 2], [1, 2, 3], 0.75**0.5),
        ([0.5, 0.5, 0.5], [1, 2, 3], 0.0),
        ([1.0, 2, 3], [4, 4, 4], 0.0),
        ([0.5, 0.5], [1, 1], 0.0),
        ([2.0], [1], 0.0),
    ],
)
def test_rank_correlation_is_always_a_number(predictions, labels, expected):
    assert spearman(predictions, labels) == pytest.approx(expected, abs=1e-15)


def test_metrics_of_constant_predictions():
    constant, labels = np.array([1, 1, 1, 1]), np.array([1, 0, 1, 1])
    assert accuracy(constant, labels) == 0.75 and paired_error(accuracy, constant, constant, labels) == 0
    assert label_flips(constant, constant) == label_flips(constant * 0.5, constant * 0.5) == 0
    assert paired_error(spearman, constant * 0.5, constant * 0.5, labels) == 0
    assert paired_error(accuracy, 1 - constant, constant, labels) == pytest.approx(0.5)


def test_cosines_of_zeros():
    rows = np.array([[3.0, 4], [0, 0], [0, 0], [1, 0]])
    assert cosines(rows, np.array([[4.0, 3], [0, 0], [1, 0], [-2, 0]])).tolist() == [0.96, 1, 0, -1]


# -- splits and comparisons -------------------------------------------------------------------------------------------
def test_split_halves_the_examples(tmp_path):
    lines = [f"{'a' * (i % 9 + 1)} b\t{'c' * (i % 7 + 1)}\t{i}\n" for i in range(101)]
    task = load_task(written(tmp_path, "a.tsv", "".join(["text1\ttext2\tscore\n", *lines])), model())
    first, second = task.split()
    assert sorted([*first.labels, *second.labels]) == list(range(101)) and len(first.labels) == 50
    for half in (first, second):
        for uses, label in zip(half.uses, half.labels.astype(int)):
            assert [half.inputs[use] for use in uses] == [[label % 9 + 1, 1], [label % 7 + 1]]
    np.testing.assert_array_equal(first.labels, task.split()[0].labels)
    assert list(first.labels) == sorted(first.labels) != list(range(50))


def test_splits_and_samples_are_random_seeded_and_in_order(tmp_path):
    lines = [f"{'a' * (i % 9 + 1)} b\t{'c' * (i % 7 + 1)}\t{i}\n" for i in range(100)]
    path = written(tmp_path, "a.tsv", "".join(["text1\ttext2\tscore\n", *lines]))
    task = load_task(path, model())
    parts = task.split((0.5, 0.2, 0.3), seed=1)
    assert [len(part.labels) for part in parts] == [50, 20, 30]
    assert sorted(label for part in parts for label in part.labels) == list(range(100))
    assert list(parts[0].labels) != list(task.split((0.5, 0.2, 0.3), seed=2)[0].labels)
    sampled = task.sample(10)
    assert sampled.labels.tolist() == [5, 16, 20, 36, 52, 72, 82, 90, 93, 94]
    assert load_task(path, model(), limit=10).labels.tolist() == sampled.labels.tolist()
    assert task.sample(10, seed=1).labels.tolist() == load_task(path, model(), limit=10, seed=1).labels.tolist()
    assert task.sample(10, seed=1).labels.tolist() != sampled.labels.tolist()
    assert task.sample(100) is task and len(load_task(path, model(), limit=1000).labels) == 100


def classification(labels, outputs):
    return Classification("a", model(), [[1]] * len(labels), labels, np.arange(len(labels))[:, None]).fit(outputs)


def test_probes_learn_from_the_other_examples_only():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 300)
    outputs = np.eye(3)[labels] + 0.1 * rng.normal(size=(300, 3))
    task = classification(labels, outputs)
    same = compare(task, outputs)
    assert same.metric == 1 and same.loss == 0 and same.stderr == 0 and same.label_flips == 0
    worse = np.where(np.arange(300)[:, None] < 30, 0.0, outputs)
    assert 0.03 < compare(task, worse).loss < 0.1 and compare(task, worse).label_flips > 9
    features = rng.normal(size=(300, 200))  # of which 240 examples learn everything by heart
    assert compare(classification(labels, features), features).metric < 0.5


def test_what_was_fitted_stays_with_a_subset():
    rng = np.random.default_rng(3)
    labels, outputs = rng.integers(0, 2, 40), rng.normal(size=(40, 5))
    task, chosen = classification(labels, outputs), np.array([3, 14, 15, 9])
    half = task.subset(chosen)
    place = np.argsort(np.argsort(chosen))  # inputs are in their old order
    np.testing.assert_array_equal(half.dense[place], outputs[chosen])
    np.testing.assert_array_equal(half.predict(half.dense), task.predict(outputs)[chosen])
    assert half.fit(half.dense).probes is task.probes


def test_comparison_of_pairs_and_of_texts_without_labels():
    outputs = np.array([[1.0, 0], [0.6, 0.8], [0, 1]])
    pairs = Similarity("a", model(), [[1]] * 3, np.array([3.0, 1, 2]), np.array([[0, 0], [0, 2], [2, 1]])).fit(outputs)
    assert compare(pairs, outputs).metric == pytest.approx(1)
    texts = Fidelity("a", model(), [[1]] * 3, np.zeros(3), np.arange(3)[:, None]).fit(outputs)
    turned = compare(texts, outputs[[0, 1, 1]])
    assert turned.dense_metric == pytest.approx(1) and turned.loss == pytest.approx(0.2 / 3)
    assert str(turned).startswith("93.33 of 100.00: 6.67 +- ")
