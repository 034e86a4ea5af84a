"""Labels as they are written in a file, as numbers: classes and scores."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from hdp_hw.study.tasks.names import is_number, is_whole, number_of, plain
from hdp_hw.study.tasks.rows import TaskError
from hdp_hw.study.tasks.table import Table

MOST_CLASSES = 1000  #: of a model without a classifier
_TRUTH = {"true": "1", "false": "0", "yes": "1", "no": "0"}


class ClassNames:
    """Names of a model's classes, and how files write them: by name, by number from 0, or by the number in all names.

    The last is for classes such as ``1 star`` to ``5 stars``.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        exact = {name.strip().lower(): number for number, name in enumerate(names)}
        bare = {plain(name): number for number, name in enumerate(names)}
        self._by_name = (bare if len(bare) == len(names) else {}) | exact
        counts = [re.fullmatch(r"(\d+)[\s_-]*stars?", name.strip().lower()) for name in names]
        self._stars = {match[1]: number for number, match in enumerate(counts) if match}
        self._stars = self._stars if len(self._stars) == len(self.names) else {}

    def named(self, cell: str) -> bool:
        """Whether a cell is the name of a class."""
        return cell.strip().lower() in self._by_name or plain(cell) in self._by_name

    def number(self, cell: str) -> int | None:
        """The class that a cell stands for, None for none."""
        for name in (cell.lower(), plain(cell)):
            if name in self._by_name and not (is_number(cell) and name != cell.lower()):
                return self._by_name[name]
        whole = _whole(_TRUTH.get(cell.lower(), cell))
        if whole is None:
            return None
        if self._stars:
            return self._stars.get(str(whole))
        return whole if 0 <= whole < len(self.names) else None

    def legal(self) -> str:
        """What a label may be."""
        names = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
        return f"{names}" if self._stars else f"0 to {len(self.names) - 1}, or one of {names}"


def classes(table: Table, names: ClassNames) -> np.ndarray:
    """Numbers of the model's classes. Raises TaskError."""
    numbers = [names.number(label) for label in table.labels or ()]
    for index, number in enumerate(numbers):
        if number is None:
            raise _illegal(table, index, names.legal())
    return np.array(numbers, int)


def own_classes(table: Table) -> tuple[np.ndarray, list[str]]:
    """``(numbers of classes, their names)`` for a model without a classifier: those of the file, in order.

    Raises TaskError.
    """
    labels = list(table.labels or ())
    whole = [_whole(label) for label in labels]
    if any(number is not None for number in whole):
        for index, number in enumerate(whole):
            if number is None:
                raise _illegal(table, index, "a whole number, as the other labels of the file are")
        labels = [str(number) for number in whole]
        names = sorted({*labels}, key=int)
    else:
        for index, label in enumerate(labels):
            if is_number(label):
                what = "a class, by a whole number or a name: this model has no output for the score of a text"
                raise _illegal(table, index, what)
        names = sorted({*labels})
    if len(names) < 2:
        raise TaskError(
            f"{table.rows.path}: all labels in {table.label_name} are {names[0]!r}; legal: at least 2 classes"
        )
    if len(names) > min(MOST_CLASSES, max(2, len(labels) // 2)):
        raise TaskError(
            f"{table.rows.path}: {table.label_name} has {len(names)} different labels for {len(labels)} examples; "
            f"legal: classes of 2 examples and more, {MOST_CLASSES} at most"
        )
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[label] for label in labels]), names


def scores(table: Table) -> np.ndarray:
    """Scores as they are. Raises TaskError."""
    values = []
    for index, label in enumerate(table.labels or ()):
        if not is_number(label, table.decimal_comma) or not math.isfinite(number_of(label, table.decimal_comma)):
            raise _illegal(table, index, "a finite number")
        values.append(number_of(label, table.decimal_comma))
    if len({*values}) < 2:
        raise TaskError(
            f"{table.rows.path}: all scores in {table.label_name} are {values[0]:g}; a rank takes different ones"
        )
    return np.array(values)


def counts(numbers: np.ndarray, names: Sequence[str]) -> str:
    """How often each class is there, for people."""
    found = np.bincount(numbers, minlength=len(names))
    parts = [f"{count} {name}" for count, name in zip(found.tolist(), names)]
    return ", ".join(parts[:10]) + (f", ... ({len(parts)} classes)" if len(parts) > 10 else "")


def _illegal(table: Table, index: int, legal: str) -> TaskError:
    return table.rows.error(
        index, f"the label {(table.labels or [])[index]!r} in {table.label_name} is not legal; legal: {legal}"
    )


def _whole(cell: Any) -> int | None:
    return int(number_of(cell)) if is_whole(cell) else None
