"""Text files that people write: UTF-8 whatever the locale, with or without a byte order mark."""

import json
import tomllib
from pathlib import Path
from typing import Any

from hdp_hw.spec.failure import FileError

LFS_POINTER = b"version https://git-lfs.github.com/spec/"  #: how a file begins that Git LFS has not fetched


def read_text(path: str | Path) -> str:
    """The text of a file. Raises FileError, OSError."""
    data = Path(path).read_bytes()
    if data.startswith(LFS_POINTER):
        raise FileError(f"{path} is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise FileError(f"{path} is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        raise FileError(f"{path}, line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None


def read_json(path: str | Path, kind: type = dict) -> Any:
    """The contents of a JSON file, which ``kind`` says to be a dict or a list. Raises FileError, OSError."""
    text = read_text(path)
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        what = f"line {error.lineno}, column {error.colno}: {error.msg}" if text.strip() else "the file is empty"
        raise FileError(f"{path} is not sound JSON: {what}") from None
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not sound JSON: {error}") from None
    if not isinstance(content, kind):
        names = {dict: "an object, {...}", list: "a list, [...]"}
        raise FileError(f"{path} does not hold {names[kind]}, at its top level")
    return content


def read_toml(path: str | Path) -> dict[str, Any]:
    """The contents of a TOML file. Raises FileError, OSError."""
    try:
        return tomllib.loads(read_text(path))
    except FileError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path} is not sound TOML: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a key that appears twice is refused."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return content
