"""Files of examples: their texts and labels, with what was understood."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hdp_hw.study.tasks.columns import Columns, columns_of
from hdp_hw.study.tasks.rows import Rows, TaskError, read_rows

NO_CONSENSUS = "-"  #: a label of SNLI and MultiNLI on which people did not agree


@dataclass(frozen=True, eq=False)
class Table:
    """Examples of a file. texts : the texts of each; labels : as they are written, None without; left_out : examples
    without consensus.
    """

    rows: Rows
    columns: Columns
    texts: list[tuple[str, ...]]
    labels: list[str] | None
    left_out: int = 0

    @property
    def decimal_comma(self) -> bool:
        """Whether 3,5 is a number."""
        return not self.rows.how.startswith("commas")

    @property
    def label_name(self) -> str:
        """The name of the column of labels."""
        assert self.columns.label is not None
        return self.columns.names[self.columns.label]

    def __str__(self) -> str:
        without = f"; {self.left_out} without consensus left out" if self.left_out else ""
        heading = "" if self.columns.heading or self.rows.heading else ", no heading"
        return f"{self.columns}; {self.rows.how}{heading}{without}"


def read_table(path: Path, request: str | None = None, is_label: Callable[[str], bool] = lambda cell: False) -> Table:
    """The Table of a file; the other arguments are those of :func:`columns_of`. Raises TaskError, OSError."""
    rows = read_rows(path)
    columns = columns_of(rows, request, is_label)
    if columns.heading:
        first = rows.cells[0]
        if again := [index for index, cells in enumerate(rows.cells) if index and cells == first]:
            raise rows.error(again[0], "the heading again, as where files were put together")
        rows = replace(rows, cells=rows.cells[1:], lines=rows.lines[1:])
    texts, labels, kept = [], [], []
    for index in range(len(rows.cells)):
        label = None if columns.label is None else _cell(rows, index, columns, columns.label)
        if label == NO_CONSENSUS:
            continue
        kept.append(index)
        texts.append(tuple(_cell(rows, index, columns, column) for column in columns.texts))
        labels.append(label)
    if not kept:
        raise TaskError(f"{path} holds no examples" + (" with a consensus" if rows.cells else ", only a heading"))
    left_out = len(rows.cells) - len(kept)
    rows = replace(rows, cells=[rows.cells[index] for index in kept], lines=[rows.lines[index] for index in kept])
    return Table(rows, columns, texts, None if columns.label is None else labels, left_out)


def _cell(rows: Rows, index: int, columns: Columns, column: int) -> str:
    """A cell as a text, which is not empty. Raises TaskError."""
    value: Any = rows.cells[index][column]
    role, name = ("label" if column == columns.label else "text"), columns.names[column]
    if isinstance(value, list | dict):
        raise rows.error(
            index, f"the {role} in {name} is {'a list' if isinstance(value, list) else 'an object'}, no {role}"
        )
    text = "" if value is None else str(value)
    if role == "label":
        text = text.strip()
    if not text.strip():
        raise rows.error(index, f"the {role} in {name} is empty")
    return text
