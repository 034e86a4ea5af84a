"""No file that people write is longer than 400 lines, or it says here why."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 400
LONGER = {
    "tb/planted_faults.toml": "a list",
}
WRITTEN = (".py", ".c", ".h", ".md", ".v", ".rdl", ".toml", "Makefile")


def files():
    """Files that people write, from the repository's root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout: nothing lists its files")
    return [name for name in listed.stdout.splitlines() if name.endswith(WRITTEN) and (ROOT / name).exists()]


def length(name):
    """Lines of a file but for its generated parts."""
    text = (ROOT / name).read_text()
    if re.search(r"\A.*Generated from .*; not to be edited", text):
        return 0
    return len(re.sub(r"(<!-- (\w+):begin -->).*?<!-- \2:end -->", "", text, flags=re.S).splitlines())


def test_files_are_short():
    long = {name: n for name in files() if (n := length(name)) > MOST}
    assert long.keys() == LONGER.keys(), long
