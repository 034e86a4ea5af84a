"""Files of examples as rows of cells: encodings, delimiters and quotes, as the file has them, whatever its ending."""

import codecs
import csv
import io
import json
import re
import statistics
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hdp_hw.spec.failure import Failure, FileError
from hdp_hw.spec.text_file import read_text
from hdp_hw.study.tasks.names import is_heading, is_number

DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}
LINES = "a text a line"  #: what stands between the cells of a text file: nothing
OWN = {".tsv": "\t", ".csv": ",", ".txt": ""}  #: delimiters that endings stand for; one column where there are none
OBJECTS = (".jsonl", ".ndjson", ".json")  #: endings of files of JSON objects
LEGAL = f"{', '.join([*OWN, *OBJECTS])} or .npz"  #: endings of files of examples
_LABELLED = re.compile(r"[,;|]\s*[-+]?\d+([.,]\d+)?\s*$")  #: how a line ends that has a label
_MARKS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32"}
_MARKS |= {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class TaskError(Failure, ValueError):
    """A file of examples that cannot be used; the message names the file, and the line where there is one."""


@dataclass(frozen=True, eq=False)
class Rows:
    """A file's rows that are not blank.

    cells : of each row; lines : the number of the line that each begins in; heading : the names of the columns, where
    the kind of file has them; unit : what ``lines`` counts; how : what stands between cells.
    """

    path: Path
    cells: list[list[Any]]
    lines: list[int]
    heading: list[str] | None = None
    unit: str = "line"
    how: str = ""

    def error(self, index: int, text: str) -> TaskError:
        """What is wrong with a row."""
        return TaskError(f"{self.path}, {self.unit} {self.lines[index]}: {text}")


def read_rows(path: Path) -> Rows:
    """The Rows of a file of texts. Raises TaskError, OSError."""
    ending = path.suffix.lower()
    if ending not in (*OWN, *OBJECTS):
        raise TaskError(f"{path}: a file of examples ends in {LEGAL}")
    text = _text(path)
    if not text.strip():
        raise TaskError(f"{path} holds no examples: it is empty")
    rows = _objects(path, text) if ending in OBJECTS else _delimited(path, text, OWN[ending])
    if not rows.cells:
        raise TaskError(f"{path} holds no examples")
    return rows


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in what its byte order mark says; lines end in line feeds."""
    if path.is_dir():
        raise TaskError(f"{path} is a folder; a file of examples ends in {LEGAL}")
    data = path.read_bytes()
    name = next((name for mark, name in _MARKS.items() if data.startswith(mark)), None)
    try:
        text = data.decode(name) if name else read_text(path)
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} begins as {name}, but byte {error.start} is not; save it as UTF-8") from None
    except FileError as error:
        hint = f", or convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name}" if "is not UTF-8" in str(error) else ""
        raise TaskError(f"{error}{hint}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TaskError(f"{path}, line {line}: a NUL byte, which no text has; save the file as UTF-8")
    if markup := _markup(text):
        hint = "; a link to a page about the file gives that page, so take the file's own" * (markup == "HTML")
        raise TaskError(f"{path} holds {markup}, whatever its ending says; legal: the content of a {LEGAL}{hint}")
    return text


def _markup(text: str) -> str:
    """HTML or XML, where a file is that: it begins as such, or is one element from its first letter to its last."""
    text = re.sub(r"\A(\s*<!--.*?-->)*\s*", "", text, flags=re.DOTALL)
    if re.match(r"<(!doctype\s+)?html\b", text, re.IGNORECASE):
        return "HTML"
    root = re.match(r"<([\w.:-]+)[^<>]*>", text)
    whole = root and text.rstrip().endswith(f"</{root[1]}>") and text.count(f"<{root[1]}") == 1
    return "XML" if whole or re.match(r"<(\?xml|!doctype)\b", text, re.IGNORECASE) else ""


# -- cells between delimiters -----------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _Reading:
    """A file with a delimiter. wrong : ``(line, text)`` of what keeps it from being one."""

    delimiter: str
    rows: list[tuple[int, list[str]]]
    wrong: tuple[int, str] | None = None

    @property
    def heading(self) -> bool:
        """Whether the first row names columns."""
        return bool(self.rows) and len(self.rows[0][1]) > 1 and is_heading(self.rows[0][1])

    @property
    def width(self) -> int:
        """Columns that rows should have: as many as the heading, or as most."""
        if self.heading:
            return len(self.rows[0][1])
        return statistics.mode(len(cells) for _, cells in self.rows) if self.rows else 0

    @property
    def sound(self) -> bool:
        """Every row can be read, and has all columns."""
        return self.wrong is None and all(len(cells) == self.width for _, cells in self.rows)

    @property
    def labelled(self) -> bool:
        """Whether rows are alike, and a column of theirs holds numbers."""
        body = [cells for _, cells in self.rows[self.heading :]]
        is_label = partial(is_number, decimal_comma=self.delimiter != ",")
        return self.sound and any(all(map(is_label, column)) for column in zip(*body, strict=True))

    def rank(self, own: str) -> tuple[bool, bool, bool, int, bool]:
        """How well it fits: a heading, rows alike, a column of numbers, columns, the file's ending."""
        return self.heading, self.sound, self.labelled, self.width, self.delimiter == own


def _delimited(path: Path, text: str, own: str) -> Rows:
    """Rows with the delimiter that fits best. In a .txt file, it is tabs, or what a heading or numbers have."""
    given = re.match(r'"?sep=(.)"?\n', text, re.IGNORECASE)  # as Excel has it
    if given:
        text = "\n" + text[given.end() :]
    delimiters = [given[1]] if given else [delimiter for delimiter in DELIMITERS if delimiter in text]
    readings = [_reading(text, delimiter) for delimiter in delimiters]
    readings = [each for each in readings if each.width > 1]
    if not own:
        readings = [each for each in readings if each.heading or each.delimiter == "\t" or each.labelled]
    if not readings:
        if not own:
            if text.lstrip().startswith("__label__"):
                raise TaskError(f"{path}: labels of fastText are not read; write a heading text,label and a row a line")
            if len(text.split("\n")) > 2 and all(map(_LABELLED.search, filter(str.strip, text.split("\n")))):
                raise TaskError(
                    f"{path}: every line ends in a number behind a delimiter, as a label; put texts in quotes, or tabs "
                    "before the labels"
                )
            lines = [(number, [line.strip()]) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
            return _rows(path, lines, LINES)
        readings = [_reading(text, own)]
    best = max(readings, key=lambda each: each.rank(own))
    if best.wrong:
        raise TaskError(f"{path}, line {best.wrong[0]}: {best.wrong[1]}")
    how = DELIMITERS.get(best.delimiter, repr(best.delimiter)) + " between columns"
    if not best.rows:
        raise TaskError(f"{path} holds no examples")
    rows = _rows(path, best.rows, how if best.width > 1 else "one column")
    like = "as in its first line" if best.heading else "as in most lines"
    hint = "" if best.heading else ", and a file of a text a line ends in .txt"
    for index, cells in enumerate(rows.cells):
        if (n := len(cells)) != best.width:
            number = f"{n} column{'s' * (n != 1)}, not {best.width} {like}, with {how}"
            raise rows.error(index, f"{number}; a cell that holds the delimiter stands in quotes{hint}")
    return rows


def _rows(path: Path, rows: list[tuple[int, list[str]]], how: str) -> Rows:
    return Rows(path, [cells for _, cells in rows], [line for line, _ in rows], how=how)


def _reading(text: str, delimiter: str) -> _Reading:
    """With quotes around cells; between tabs, quotes are letters unless the file shows that they are not."""
    quoted = _parse(text, delimiter, {"strict": True, "skipinitialspace": True})
    if delimiter != "\t":
        return quoted
    literal = _parse(text, delimiter, {"quoting": csv.QUOTE_NONE})
    return quoted if _has_quotes(literal, quoted) else literal


def _has_quotes(literal: _Reading, quoted: _Reading) -> bool:
    """Whether quotes between tabs stand around cells: where only so rows are alike, or as programs write them.

    They quote cells that hold a quote, which is then doubled, or all cells of a column.
    """
    if not quoted.rows or not quoted.sound or quoted.width < 2:
        return False
    if not literal.sound:
        return True
    columns = list(zip(*(cells for _, cells in literal.rows[literal.heading :]), strict=True))
    marked = [[cell for cell in column if cell.startswith('"')] for column in columns]
    return any(marked) and all(
        len(cells) == len(column) or all('""' in cell[1:-1] for cell in cells) for cells, column in zip(marked, columns)
    )


def _parse(text: str, delimiter: str, options: dict[str, Any]) -> _Reading:
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, **options)
    rows, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        what = "a quote that begins here does not end" if "end of data" in str(error) else "text behind a closing quote"
        return _Reading(delimiter, rows, (line, f"{what}; quotes inside a quoted cell are doubled"))
    return _Reading(delimiter, rows)


# -- objects ----------------------------------------------------------------------------------------------------------
def _objects(path: Path, text: str) -> Rows:
    """Rows of JSON objects, one a line or in a list. The keys of the first one are the heading."""
    is_list = text.lstrip().startswith("[")
    unit, entries = "entry" if is_list else "line", []
    lines = [(0, text)] if is_list else [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            at = error.lineno if is_list and isinstance(error, json.JSONDecodeError) else number
            raise TaskError(f"{path}, line {at}: not sound JSON ({error}); legal: {_OBJECTS}") from None
        entries += list(enumerate(value, 1)) if is_list else [(number, value)]
    for number, value in entries:
        if not isinstance(value, dict) or not value:
            raise TaskError(f"{path}, {unit} {number}: not an object, {{...}}; legal: {_OBJECTS}")
    if not entries:
        raise TaskError(f"{path} holds no examples")
    heading = list(entries[0][1])
    cells = [[value.get(name) for name in heading] for _, value in entries]
    return Rows(path, cells, [number for number, _ in entries], heading, unit, "JSON objects")


_OBJECTS = 'an object such as {"text": "so good", "label": 1} a line, or a list of them'
