"""From a file to the task that it is made for."""

from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.study.models import Model
from hdp_hw.study.models.checkpoint import WEIGHTS
from hdp_hw.study.passages import PASSAGES
from hdp_hw.study.tasks.arrays import LEGAL, read_images
from hdp_hw.study.tasks.classification import Classification
from hdp_hw.study.tasks.fidelity import Fidelity
from hdp_hw.study.tasks.labels import ClassNames, classes, counts, own_classes, scores
from hdp_hw.study.tasks.names import CLASSES_ONLY, plain
from hdp_hw.study.tasks.regression import Regression
from hdp_hw.study.tasks.rows import TaskError
from hdp_hw.study.tasks.similarity import Similarity
from hdp_hw.study.tasks.table import Table, read_table
from hdp_hw.study.tasks.task import SEED, Task, draw


def load_task(
    path: str | Path | None,
    model: Model,
    max_tokens: int | None = None,
    limit: int | None = None,
    seed: int = SEED,
    columns: str | None = None,
) -> Task:
    """The Task that a file holds for a model.

    Without a ``path``, texts are the passages of :mod:`hdp_hw.study.passages`, and images those that the model came
    with.

    =================  ==========================  =====================  ==============================
    what a line has    model without a classifier  model with classes     model with one output
    =================  ==========================  =====================  ==============================
    a text, a label    Classification by probes    Classification         Regression
    two texts, a label Similarity                  Classification         Regression
    one text           Fidelity                    Fidelity               none
    two texts          none                        Fidelity               none
    .npz               Classification by probes    Classification         none
    =================  ==========================  =====================  ==============================

    A model with a classifier reads both texts of a pair as one input. A class is a name of the model's, or a number
    from 0.

    max_tokens : texts are cut to these, or to what the model takes; limit : examples to take at random, by ``seed``;
    columns : which hold the texts and the label, as :data:`hdp_hw.study.tasks.columns.REQUEST` says.
    Raises TaskError, OSError.
    """
    if path is None and columns:
        raise TaskError(f"columns {columns!r} are those of a file, and there is none: give one")
    if path is None and not model.encoder.layout.images:
        texts = [(text,) for _, text in PASSAGES.values()]
        examples = _Examples("passages", model, texts, np.zeros(len(texts)), "texts of this project")
        return examples.task(Fidelity, max_tokens, limit, seed)
    own = WEIGHTS / model.name / "examples.npz"
    if path is None and not own.exists():
        raise TaskError(f"{model.name} takes images, and has none of its own: give an .npz file; {LEGAL}")
    path = Path(path or own)
    if not path.exists():
        raise TaskError(f"{path} does not exist")
    if path.suffix.lower() == ".npz":
        return _images(path, model, limit, seed, columns)
    if model.encoder.layout.images:
        raise TaskError(f"{path}: {model.name} takes images, from a .npz file")
    names = ClassNames(model.labels)
    table = read_table(path, columns, names.named)
    kind, labels, what = _understood(table, model, names)
    return _Examples(path.stem, model, table.texts, labels, f"{what}; {table}").task(kind, max_tokens, limit, seed)


def _understood(table: Table, model: Model, names: ClassNames) -> tuple[type[Task], np.ndarray, str]:
    """``(kind of task, labels, what examples are)`` of a file for a model. Raises TaskError."""
    path, pairs, n = table.rows.path, len(table.columns.texts) == 2, len(model.labels)
    what = "pairs of texts" if pairs else "texts"
    if table.labels is None:
        if n == 1 or (pairs and not n):
            needs = f"{model.name} has one output, a score" if n else "pairs are judged by their similarity"
            raise TaskError(f"{path}: {what} without a label ({table.columns}), but {needs}; legal: a number a line")
        return Fidelity, np.zeros(len(table.texts)), f"{what} without labels"
    if n > 1:
        labels = classes(table, names)
        return Classification, labels, f"{what} with a class ({counts(labels, model.labels)})"
    if n or pairs:
        if not n and any(plain(name) in CLASSES_ONLY for name in table.columns.names):
            raise TaskError(
                f"{path}: pairs with a class ({table.columns}), but {model.name} has no classifier; legal: pairs with "
                "a similarity, as sentence1,sentence2,score"
            )
        labels = scores(table)
        kind = Regression if n else Similarity
        return kind, labels, f"{what} with a score ({labels.min():g} to {labels.max():g})"
    labels, own = own_classes(table)
    return Classification, labels, f"{what} with a class ({counts(labels, own)})"


class _Examples:
    """Examples that have been read, of which a task takes some.

    texts : those of each example; about : what they are, for people.
    """

    def __init__(self, name: str, model: Model, texts: list[tuple[str, ...]], labels: np.ndarray, about: str) -> None:
        self.name, self.model, self.texts, self.labels, self.about = name, model, texts, labels, about

    def task(self, kind: type[Task], max_tokens: int | None, limit: int | None, seed: int) -> Task:
        """A task whose inputs are the distinct ones among those of the examples."""
        texts, labels, about = self.texts, self.labels, self.about
        if limit is not None and limit < len(texts):
            chosen = draw(len(texts), limit, seed)
            about = f"{sampled(limit, len(texts), seed)}; the file: {len(texts)} {about}"
            texts, labels = [texts[index] for index in chosen], labels[chosen]
        else:
            about = f"{len(texts)} {about}"
        if self.model.labels or len(texts[0]) == 1:  # an example is an input
            whole: list[Any] = [each[0] if len(each) == 1 else each for each in texts]
            examples = [[each] for each in whole]
        else:
            examples = [list(each) for each in texts]
        place = {text: at for at, text in enumerate(dict.fromkeys(text for each in examples for text in each))}
        uses = np.array([[place[text] for text in each] for each in examples])
        inputs = self.model.read(list(place), max_tokens)
        about += _cut(self.model, list(place), inputs, max_tokens)
        return kind(self.name, self.model, inputs, labels, uses, about=f"{about}; {kind.metric_name}")


def sampled(n: int, of: int, seed: int) -> str:
    """What a sample is, for people."""
    return f"{n} of {of} examples, drawn with seed {seed}"


def _cut(model: Model, texts: list[Any], inputs: list[Any], max_tokens: int | None) -> str:
    """How many texts were cut, for people."""
    limit = min(max_tokens or model.encoder.max_seq_len, model.encoder.max_seq_len)
    full = [text for text, tokens in zip(texts, inputs) if len(tokens) == limit]
    n_cut = sum(len(model.prepare(text, limit + 1)) > limit for text in full)
    return f"; {n_cut} of {len(texts)} inputs cut to {limit} tokens" if n_cut else f"; none cut to {limit} tokens"


def _images(path: Path, model: Model, limit: int | None, seed: int, columns: str | None) -> Task:
    if not model.encoder.layout.images:
        raise TaskError(f"{path}: {model.name} takes texts, not images")
    if columns:
        raise TaskError(f"{path}: an .npz file has arrays and no columns")
    images, labels = read_images(path, model)
    about = f"{len(labels)} images with a class"
    if model.labels:
        about += f" ({counts(labels, model.labels)})"
    if limit is not None and limit < len(labels):
        chosen = draw(len(labels), limit, seed)
        about = f"{sampled(limit, len(labels), seed)}; the file: {about}"
        images, labels = images[chosen], labels[chosen]
    uses = np.arange(len(labels))[:, None]
    return Classification(path.stem, model, model.read(images), labels, uses, about=f"{about}; accuracy")
