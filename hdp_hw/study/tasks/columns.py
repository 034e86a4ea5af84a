"""Which columns hold the texts and the label: by a request, by the heading, or by what the cells look like."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hdp_hw.study.tasks.names import (
    GOLD,
    INDICES,
    LABELS,
    MINOR_TEXTS,
    PAIRS,
    TEXTS,
    is_heading,
    is_mark,
    is_number,
    is_whole,
    number_of,
    plain,
)
from hdp_hw.study.tasks.rows import LINES, Rows, TaskError

REQUEST = "text=NAME,label=NAME, with text twice for pairs; without a heading, columns count from 1: text=2,label=3"
_KEYS = 10  #: from so many rows on, integers that all differ are no labels
_WORD = re.compile(r"[^\W\d][\w.#-]*")


@dataclass(frozen=True)
class Columns:
    """Numbers of columns, from 0, and whether the first row names them.

    texts : one, or two of a pair; label : None without one; names : of all columns, for people.
    """

    texts: tuple[int, ...]
    label: int | None
    names: tuple[str, ...]
    heading: bool

    def __str__(self) -> str:
        texts = " and ".join(self.names[column] for column in self.texts)
        label = "no label" if self.label is None else f"label in {self.names[self.label]}"
        return f"{'texts' if len(self.texts) > 1 else 'text'} in {texts}, {label}"


def columns_of(rows: Rows, request: str | None, is_label: Callable[[str], bool]) -> Columns:
    """The Columns of a file.

    request : as REQUEST says, or None; is_label : whether a cell is the name of a class of the model. Raises TaskError.
    """
    heading = rows.heading or (rows.cells[0] if rows.how != LINES and is_heading(rows.cells[0]) else None)
    if request:
        return _by_request(rows, request, heading)
    if heading is None:
        _refuse_unknown_heading(rows, is_label)
        return _by_cells(rows, is_label)
    texts, label = _by_heading(rows, heading)
    return Columns(texts, label, _quoted(heading), rows.heading is None)


def _quoted(heading: Sequence[Any]) -> tuple[str, ...]:
    return tuple(repr(str(name).strip()) for name in heading)


# -- by a request -----------------------------------------------------------------------------------------------------
def _by_request(rows: Rows, request: str, heading: list[Any] | None) -> Columns:
    request = request.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # an ASCII locale escapes letters
    width, texts, labels = len(rows.cells[0]), [], []
    wanted = [item.partition("=")[::2] for item in request.split(",")]
    by_number = rows.heading is None and all(name.strip().isdecimal() for _, name in wanted)
    names = rows.cells[0] if heading is None else heading
    for role, name in wanted:
        if role.strip() not in ("text", "text1", "text2", "label") or not name.strip():
            raise TaskError(f"columns {request!r} are not legal; legal: {REQUEST}")
        found = (
            [int(name) - 1] if by_number else [at for at, own in enumerate(names) if str(own).strip() == name.strip()]
        )
        found = found or [at for at, own in enumerate(names) if plain(own) == plain(name) != ""]
        if len(found) != 1 or not 0 <= found[0] < width:
            legal = f"1 to {width}, or " if rows.heading is None else ""
            listed = ", ".join(str(own).strip() for own in names)
            raise TaskError(f"{rows.path}: there is no column {name.strip()!r}; legal: {legal}one of {listed}")
        (labels if role.strip() == "label" else texts).append(found[0])
    if not 1 <= len(texts) <= 2 or len(labels) > 1 or len({*texts, *labels}) < len(wanted):
        raise TaskError(f"columns {request!r} are not legal; legal: {REQUEST}")
    has_heading = rows.heading is None and (heading is not None or not by_number)
    own = tuple(f"column {at + 1}" for at in range(width)) if by_number and heading is None else _quoted(names)
    return Columns(tuple(texts), labels[0] if labels else None, own, has_heading)


# -- by the heading ---------------------------------------------------------------------------------------------------
def _by_heading(rows: Rows, heading: list[Any]) -> tuple[tuple[int, ...], int | None]:
    names = [plain(name) for name in heading]
    wanted = {*TEXTS, *LABELS, *GOLD, *(name for pair in PAIRS for name in pair)}
    if twice := next((own for own, name in zip(heading, names) if name in wanted and names.count(name) > 1), None):
        raise _unclear(rows, heading, f"two columns are called {twice!r}")
    pair = next((pair for pair in PAIRS if set(pair) <= set(names)), None)
    if pair:
        texts = tuple(names.index(name) for name in pair)
    else:
        texts = tuple(at for at, name in enumerate(names) if name in TEXTS)
        texts = texts or tuple(at for at, name in enumerate(names) if name in MINOR_TEXTS)
        if len(texts) != 1:
            raise _unclear(
                rows, heading, f"{len(texts)} of them may be the text" if texts else "none is known for texts"
            )
    others = [at for at in range(len(names)) if at not in texts]
    labels = [at for at in others if names[at] in GOLD] or [at for at in others if names[at] in LABELS]
    if len(labels) > 1:
        raise _unclear(rows, heading, "more than one may be the label")
    unknown = [at for at in others if names[at] not in (*INDICES, *MINOR_TEXTS)]
    if not labels and unknown:
        listed = ", ".join(_quoted([heading[at] for at in unknown]))
        raise _unclear(rows, heading, f"{listed} may be the label, but is not known as one")
    return texts, labels[0] if labels else None


def _unclear(rows: Rows, heading: Sequence[Any], what: str) -> TaskError:
    listed = ", ".join(_quoted(heading))
    return TaskError(
        f"{rows.path}, {rows.unit} {rows.lines[0]}: the columns {listed} are not understood: {what}. Known for texts: "
        f"{', '.join(TEXTS[:9])}, ...; for pairs: sentence1 and sentence2, premise and hypothesis, question1 and "
        f"question2, ...; for labels: {', '.join(LABELS[:11])}, gold_label, ... Rename them, or say which: "
        f"--columns {_example(heading)}"
    )


def _example(heading: Sequence[Any]) -> str:
    first, last = str(heading[0]).strip() or "1", str(heading[-1]).strip() or str(len(heading))
    return f"'text={first},label={last}'" if len(heading) > 1 else f"'text={first}'"


# -- by the cells -----------------------------------------------------------------------------------------------------
def _refuse_unknown_heading(rows: Rows, is_label: Callable[[str], bool]) -> None:
    """Raise TaskError for a first row of unknown names above labels, or above texts."""
    first, body = rows.cells[0], rows.cells[1:]
    if not body:
        return
    for column, cell in enumerate(first):
        below = [row[column] for row in body]
        for test in (lambda x: is_number(x, True), is_label):
            if not test(cell) and cell.strip() not in ("", "-") and all(map(test, below)):
                raise _unclear(rows, first, "they are a heading, but no name in it is known")
    words, spoken = [cell.strip() for cell in first if cell.strip()], _spoken(rows)
    if not (all(map(_WORD.fullmatch, words)) and len({*words}) == len(words) and len(body) > 1 and spoken):
        return
    if rows.how != LINES and not any(_WORD.fullmatch(row[at].strip()) for row in body for at in spoken):
        raise _unclear(rows, first, "they look like a heading, but no name in it is known")


def _spoken(rows: Rows) -> list[int]:
    """The columns that hold sentences: more than one word in most cells below the first row."""
    body = rows.cells[1:]
    return [at for at in range(len(rows.cells[0])) if 2 * sum(_has_words(row[at]) for row in body) > len(body)]


def _has_words(cell: str) -> bool:
    return len(cell.split()) > 1


def _by_cells(rows: Rows, is_label: Callable[[str], bool]) -> Columns:
    """Without a heading: the label is the column of numbers, or of names of classes; other words are texts."""
    columns = [[row[at] for row in rows.cells] for at in range(len(rows.cells[0]))]
    names = tuple(f"column {at + 1}" for at in range(len(columns)))
    kinds = [_kind(cells, is_label, not rows.how.startswith("commas")) for cells in columns]
    labels = [at for at, kind in enumerate(kinds) if kind in ("number", "class")]
    if len(labels) > 1:
        labels = [at for at in labels if not _is_key(columns[at])] or labels
    texts = [at for at, kind in enumerate(kinds) if kind == "text"]
    spoken = [at for at in texts if _most(columns[at], _has_words)] if len(texts) > 2 else texts
    if len(spoken) not in (1, 2) or (len(spoken) == 2 < len(texts)) or len(labels) > 1:
        raise _unnamed(rows, names, f"{len(texts)} may be texts and {len(labels)} labels")
    if not labels and (len(texts) > 1 or "mark" in kinds):
        raise _unnamed(rows, names, "none looks like a label")
    if len(spoken) == 2 and labels and labels[0] < spoken[0]:
        raise _unnamed(rows, names, "the first may be a class, and the others a title and a text, or a pair")
    if labels and len(rows.cells) >= _KEYS and _is_key(columns[labels[0]]):
        raise _unnamed(rows, names, f"none but {names[labels[0]]}, of numbers that all differ, looks like a label")
    return Columns(tuple(spoken), labels[0] if labels else None, names, False)


def _kind(cells: Sequence[str], is_label: Callable[[str], bool], decimal_comma: bool) -> str:
    """What a column holds: nothing, running numbers, a number, a mark, the name of a class, or a text."""
    if not any(letter.isalnum() for cell in cells for letter in cell):
        return "nothing"
    if _is_key(cells) and all(b - a == 1 for a, b in pairwise(map(number_of, cells))):
        return "running"
    if _most(cells, lambda cell: is_number(cell, decimal_comma)):
        return "number"
    if all(is_mark(cell) for cell in cells if cell.strip()):
        return "mark"
    return "class" if _most(cells, is_label) else "text"


def _is_key(cells: Sequence[str]) -> bool:
    """Whether cells are integers of which none is there twice."""
    return len(cells) > 2 and all(map(is_whole, cells)) and len({*map(number_of, cells)}) == len(cells)


def _unnamed(rows: Rows, names: Sequence[str], what: str) -> TaskError:
    return TaskError(
        f"{rows.path}: its first line names no columns, and of its {len(names)} columns {what}. Put a heading such as "
        f"text,label or sentence1,sentence2,score above them, or say which: --columns text=1,label={len(names)}"
    )


def _most(cells: Sequence[str], test: Callable[[str], bool]) -> bool:
    return 2 * sum(map(test, cells)) >= len(cells)
