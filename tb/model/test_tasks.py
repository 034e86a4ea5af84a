"""Tasks: their files, metrics, splits and probes: hdp_hw/study/tasks/."""

import numpy as np
import pytest

from hdp_hw.study.models import Encoder, Model
from hdp_hw.study.tasks import TaskError, compare, load_task
from hdp_hw.study.tasks.classification import Classification
from hdp_hw.study.tasks.fidelity import Fidelity
from hdp_hw.study.tasks.similarity import Similarity
from hdp_hw.study.tasks.table import read_table
from tb.model.test_models import CONFIG, VIT, random_tensors


def model(config=CONFIG, n_labels=0):
    encoder = Encoder(config, random_tensors(config, n_labels))

    def lengths(text, limit):
        return [len(word) for word in text.split()][:limit]

    return Model("tiny", encoder, lengths, list, ("no", "yes")[:n_labels])


def written(folder, name, text):
    (folder / name).write_text(text)
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


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "", "a file of examples ends in .tsv, .csv, .txt or .npz"),
        ("a.tsv", "\n", "holds no examples"),
        ("a.tsv", "sentence\tlabel\n", "holds no examples"),
        ("a.tsv", "sentence\tlabel\nno good\tat\t\n", "a.tsv, line 2: 3 columns, not 2 as in its first line"),
        ("a.tsv", "good\t1\n \t0\n", "line 2: the text in column 1 is empty"),
        ("a.tsv", "good\t1\nbad\t2\n", r"line 2: the label '2' is not legal; legal: 0 to 1, or one of no, yes"),
        ("a.tsv", "good\t1\nbad\t-1\n", "line 2: the label '-1' is not legal"),
        ("a.tsv", "sentence1\tsentence2\tscore\na\tb\tc\n", "line 2: the label 'c' is not a number"),
        ("a.csv", "a,b\nc,d\n", "2 texts and no label a line is no known task"),
    ],
)
def test_bad_files(tmp_path, name, text, message):
    with pytest.raises(TaskError, match=message):
        load_task(written(tmp_path, name, text), model(n_labels=2))


def test_line_numbers_count_empty_lines(tmp_path):
    lines, _, _ = read_table(written(tmp_path, "a.tsv", "sentence\tlabel\n\na\t1\n\nb\t0\n"))
    assert lines == [3, 5]


def test_not_utf8(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"caf\xe9\t1\n")
    with pytest.raises(TaskError, match=r"a\.tsv is not UTF-8"):
        load_task(tmp_path / "a.tsv", model())


def test_images(tmp_path):
    vision = Model("tiny", Encoder(VIT, random_tensors(VIT, 3)), lambda image, limit: image, list, ("a", "b", "c"))
    images = np.random.default_rng(1).normal(size=(5, 3, 6, 6))
    np.savez(tmp_path / "a.npz", images=images, labels=[0, 1, 2, 0, 1])
    task = load_task(tmp_path / "a.npz", vision, limit=4)
    assert len(task.inputs) == 4 and task.predict(vision.run(task.inputs)).shape == (4,)
    with pytest.raises(TaskError, match="takes texts, not images"):
        load_task(tmp_path / "a.npz", model())
    with pytest.raises(TaskError, match=r"tiny takes images, from a \.npz file"):
        load_task(written(tmp_path, "a.txt", "a"), vision)
    np.savez(tmp_path / "b.npz", images=images)
    with pytest.raises(TaskError, match="the arrays labels are missing"):
        load_task(tmp_path / "b.npz", vision)


def test_passages_without_a_file():
    assert len(load_task(None, model()).inputs) == 10


# -- splits and comparisons -------------------------------------------------------------------------------------------
def test_split_halves_the_examples(tmp_path):
    lines = [f"{'a' * (i % 9 + 1)} b\t{'c' * (i % 7 + 1)}\t{i}\n" for i in range(101)]
    task = load_task(written(tmp_path, "a.tsv", "".join(lines)), model())
    first, second = task.split()
    assert sorted([*first.labels, *second.labels]) == list(range(101)) and len(first.labels) == 50
    for half in (first, second):
        for uses, label in zip(half.uses, half.labels.astype(int)):
            assert [half.inputs[use] for use in uses] == [[label % 9 + 1, 1], [label % 7 + 1]]
    np.testing.assert_array_equal(first.labels, task.split()[0].labels)
    assert list(first.labels) == sorted(first.labels) != list(range(50))


def test_splits_and_samples_are_random_seeded_and_in_order(tmp_path):
    lines = [f"{'a' * (i % 9 + 1)} b\t{'c' * (i % 7 + 1)}\t{i}\n" for i in range(100)]
    path = written(tmp_path, "a.tsv", "".join(lines))
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
