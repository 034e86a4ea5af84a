"""Files of examples: which columns hold the texts and which the label."""

import csv
from pathlib import Path

from hdp_hw.spec.failure import Failure

TEXTS = ("sentence", "text", "review", "sentence1", "sentence2", "text1", "text2")  #: headings of texts
LABELS = ("label", "score", "similarity", "sentiment")  #: headings of labels


class TaskError(Failure, ValueError):
    """A file of examples that cannot be used; the message names the file, and the line where there is one."""


def read_table(path):
    """``(lines, texts, labels)`` of a .tsv, .csv or .txt file: the number of its line, the texts and the label of each.

    A first row whose cells are known headings says which columns count. Without, the last column is the label if all of
    it are numbers, and the others are texts. ``labels`` is None without one. Raises TaskError.
    """
    rows = _rows(Path(path))
    heading = [cell.strip().lower() for cell in rows[0][1]]
    texts = [column for column, name in enumerate(heading) if name in TEXTS]
    label = next((column for column, name in enumerate(heading) if name in LABELS), None)
    if texts:
        rows = rows[1:]
    else:
        n = len(heading)
        label = n - 1 if n > 1 and all(_is_number(row[-1]) for _, row in rows) else None
        texts = [column for column in range(n) if column != label]
    if not rows:
        raise TaskError(f"{path} holds no examples")
    for line, row in rows:
        if len(row) != len(heading):
            raise TaskError(f"{path}, line {line}: {len(row)} columns, not {len(heading)} as in its first line")
        for column in texts:
            if not row[column].strip():
                raise TaskError(f"{path}, line {line}: the text in column {column + 1} is empty")
    labels = None if label is None else [row[label].strip() for _, row in rows]
    return [line for line, _ in rows], [[row[column] for column in texts] for _, row in rows], labels


def numbers(path, lines, labels):
    """The labels as floats. Raises TaskError."""
    for line, label in zip(lines, labels):
        if not _is_number(label):
            raise TaskError(f"{path}, line {line}: the label {label!r} is not a number")
    return [float(label) for label in labels]


def _rows(path):
    """``[(number of the line, cells)]`` without empty ones; all of a line of .txt is one cell."""
    kinds = {".tsv": {"delimiter": "\t", "quoting": csv.QUOTE_NONE}, ".csv": {}, ".txt": None}
    if path.suffix not in kinds:
        raise TaskError(f"{path}: a file of examples ends in {', '.join(kinds)} or .npz")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            if kinds[path.suffix] is None:
                rows = [(number, [line.strip()]) for number, line in enumerate(file, 1)]
            else:
                reader = csv.reader(file, **kinds[path.suffix])
                rows = [(reader.line_num, row) for row in reader]
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not UTF-8: {error}") from None
    rows = [(line, row) for line, row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise TaskError(f"{path} holds no examples")
    return rows


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True
