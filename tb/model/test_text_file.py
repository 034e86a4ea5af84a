"""Text files that people write: hdp_hw/spec/text_file.py."""

import os
import subprocess
import sys

import pytest

from hdp_hw.spec.failure import FileError
from hdp_hw.spec.text_file import read_json, read_text, read_toml

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
def test_utf8_with_and_without_a_byte_order_mark(tmp_path, mark):
    path = tmp_path / "Größe mit Raum"
    path.write_bytes(mark + '{"Größe": 1}'.encode())
    assert read_text(path) == '{"Größe": 1}' and read_json(path) == {"Größe": 1}
    path.write_bytes(mark + '"Größe" = 1\r\n'.encode())
    assert read_toml(path) == {"Größe": 1}


def test_the_locale_does_not_count(tmp_path):
    (tmp_path / "a").write_text('{"a": "ü"}', encoding="utf-8")
    code = "from hdp_hw.spec.text_file import read_json; print(ascii(read_json('a')))"
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": path}
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=tmp_path, env=environment, text=True) == "{'a': '\\xfc'}\n"


@pytest.mark.parametrize(
    ("read", "data", "message"),
    [
        (read_text, b"a\n# Gr\xf6\xdfe\n", ", line 2: byte 0xf6 is not UTF-8; save the file as UTF-8"),
        (read_text, "a".encode("utf-16"), " is UTF-16; save it as UTF-8"),
        (read_text, LFS, " is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"),
        (read_json, b"", " is not sound JSON: the file is empty"),
        (read_json, b'{"a": 1,\n "b" 2}', " is not sound JSON: line 2, column 6: Expecting ':' delimiter"),
        (read_json, b"[]", " does not hold an object, {...}, at its top level"),
        (read_json, b'{"a": {"b": 1, "b": 2}}', " is not sound JSON: the key 'b' appears twice in one object"),
        (read_json, b"1" * 5000, " is not sound JSON: Exceeds the limit (4300 digits)"),
        (read_json, b"[" * 100_000, " is not sound JSON: maximum recursion depth"),
        (read_toml, b"a = ", " is not sound TOML: Invalid value (at end of document)"),
        (read_toml, b"a = 1\na = 2", " is not sound TOML: Cannot overwrite a value"),
        (read_toml, b"a = '\xfc'", ", line 1: byte 0xfc is not UTF-8"),
    ],
)  # fmt: skip
def test_refused(tmp_path, read, data, message):
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(FileError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}{message}")


def test_a_list_where_a_list_belongs(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    assert read_json(tmp_path / "a.json", list) == [1]
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FileError, match=r"does not hold a list, \[...\], at its top level"):
        read_json(tmp_path / "a.json", list)
