"""What the benchmarks share: where records go, and how they are printed."""

import json
import sys
from pathlib import Path

from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import ParameterError

FOLDER = Path("build", "bench")


def write_records(records, path):
    """A list of dictionaries as JSON."""
    write(path, json.dumps(records, indent=1) + "\n")
    print(f"{path}: {len(records)} records")


def aligned(rows):
    """Rows of texts as lines of text, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows)


def with_block(path, name, block):
    """Text of a file with ``block`` between the markers of its part ``name``.

    Raises ParameterError unless each marker is there once, in order.
    """
    text, begin, end = path.read_text(encoding="utf-8"), f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ParameterError("readme", str(path), f"a file with {begin} and then {end}, each once")
    return f"{text[: text.index(begin)]}{begin}\n{block}\n{text[text.index(end) :]}"


def say(line):
    """Progress, on stderr."""
    print(f"bench: {line}", file=sys.stderr, flush=True)
