"""From a file to the task that it is made for."""

from pathlib import Path

import numpy as np

from hdp_hw.study.models.checkpoint import WEIGHTS
from hdp_hw.study.passages import PASSAGES
from hdp_hw.study.tasks.classification import Classification
from hdp_hw.study.tasks.fidelity import Fidelity
from hdp_hw.study.tasks.similarity import Similarity
from hdp_hw.study.tasks.table import TaskError, numbers, read_table
from hdp_hw.study.tasks.task import SEED, draw


def load_task(path, model, max_tokens=None, limit=None, seed=SEED):
    """The Task that a file holds for a model.

    Without a ``path``, texts are the passages of :mod:`hdp_hw.study.passages`, and images those that the model came
    with.

    ======================================  ==============================================================
    what the file has                       task
    ======================================  ==============================================================
    a text and a label a line               Classification; labels are whole numbers from 0, or names of
                                            the model's classes
    two texts and a number a line           Similarity
    a text a line                           Fidelity
    .npz: ``images`` [n, channels, h, w]    Classification
    and ``labels`` [n]
    ======================================  ==============================================================

    max_tokens : texts are cut to these, or to what the model takes; limit : examples to take at random, by ``seed``.
    Raises TaskError.
    """
    if path is None and not model.encoder.layout.images:
        texts = [text for _, text in PASSAGES.values()]
        return _task(Fidelity, "passages", model, [[text] for text in texts], np.zeros(len(texts)), max_tokens)
    path = Path(path or WEIGHTS / model.name / "examples.npz")
    if not path.exists():
        raise TaskError(f"{path} does not exist")
    if path.suffix == ".npz":
        return _images(path, model, limit, seed)
    if model.encoder.layout.images:
        raise TaskError(f"{path}: {model.name} takes images, from a .npz file")
    lines, texts, labels = read_table(path)
    if limit is not None and limit < len(texts):
        chosen = draw(len(texts), limit, seed)
        lines, texts, labels = (
            [column[index] for index in chosen] if column else None for column in (lines, texts, labels)
        )
    kinds = {(1, True): Classification, (2, True): Similarity, (1, False): Fidelity}
    kind = kinds.get((len(texts[0]), labels is not None))
    if kind is None:
        raise TaskError(f"{path}: {len(texts[0])} texts and {'a' if labels else 'no'} label a line is no known task")
    if kind is Classification:
        labels = _classes(path, lines, labels, model)
    elif kind is Similarity:
        labels = np.array(numbers(path, lines, labels))
    else:
        labels = np.zeros(len(texts))
    return _task(kind, path.stem, model, texts, labels, max_tokens)


def _task(kind, name, model, examples, labels, max_tokens=None):
    """A task whose inputs are the distinct ones among those of the examples."""
    index = {text: place for place, text in enumerate(dict.fromkeys(text for texts in examples for text in texts))}
    uses = np.array([[index[text] for text in texts] for texts in examples])
    return kind(name, model, model.read(list(index), max_tokens), labels, uses)


def _images(path, model, limit, seed):
    if not model.encoder.layout.images:
        raise TaskError(f"{path}: {model.name} takes texts, not images")
    with np.load(path) as file:
        if missing := {"images", "labels"} - set(file.files):
            raise TaskError(f"{path}: the arrays {', '.join(sorted(missing))} are missing")
        images, labels = file["images"], file["labels"].astype(int)
    if limit is not None and limit < len(labels):
        chosen = draw(len(labels), limit, seed)
        images, labels = images[chosen], labels[chosen]
    return Classification(path.stem, model, model.read(images), labels, np.arange(len(labels))[:, None])


def _classes(path, lines, labels, model):
    """Numbers of the classes."""
    names = {name.lower(): number for number, name in enumerate(model.labels)}
    n_classes = len(names) or len(labels)
    classes = np.zeros(len(labels), int)
    for index, (line, label) in enumerate(zip(lines, labels)):
        number = names.get(label.lower(), int(label) if label.isdecimal() else -1)
        if not 0 <= number < n_classes:
            legal = f"0 to {n_classes - 1}, or one of {', '.join(model.labels)}" if names else "a whole number from 0"
            raise TaskError(f"{path}, line {line}: the label {label!r} is not legal; legal: {legal}")
        classes[index] = number
    return classes
