"""A release: the same bytes twice, sums and manifest that agree, and the citation."""

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import hdp_hw

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}  #: an environment that must not show


def release(*words, environment=(), umask=0o022):
    """Run tools/release.py; returns the finished process."""
    command = [sys.executable, str(ROOT / "tools" / "release.py"), *map(str, words)]
    options = {"env": os.environ | dict(environment), "umask": umask, "capture_output": True, "text": True}
    return subprocess.run(command, cwd=ROOT, check=False, **options)


def members(path):
    """``{name: bytes}`` of the files of an archive, without the folder around them."""
    with tarfile.open(path) as archive:
        files = [member for member in archive if member.isfile()]
        assert {(file.uid, file.gid, file.uname, file.mode & 0o022) for file in files} == {(0, 0, "", 0)}
        return {file.name.partition("/")[2]: archive.extractfile(file).read() for file in files}


@pytest.mark.slow
def test_release(tmp_path):
    for name, options in (("a", {}), ("b", {"environment": ELSEWHERE, "umask": 0o077})):
        done = release("tiny", "--output", tmp_path / name, **options)
        assert done.returncode == 0, done.stderr
    first, second = ({file.name: file.read_bytes() for file in (tmp_path / x).iterdir()} for x in "ab")
    assert [name for name in first if first[name] != second.get(name)] == [] and len(first) == len(second) == 4
    sums = dict(reversed(line.split("  ")) for line in first.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(data).hexdigest() for name, data in first.items()}
    (version,) = {re.match(r"hdp[-_]hw-([\d.]+\d)[-.]", name)[1] for name in first}

    verilog = members(tmp_path / "a" / f"hdp-hw-{version}-tiny-verilog.tar.gz")
    manifest = json.loads(verilog.pop("manifest.json"))
    assert verilog.pop("LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert manifest["sha256"] == {name: hashlib.sha256(data).hexdigest() for name, data in verilog.items()}
    assert {"hdp_core.v", "hdp_top.v", "hdp.c", "hdp.h"} <= set(verilog) and manifest["versions"]["hdp-hw"] == version
    sources = members(tmp_path / "a" / f"hdp_hw-{version}.tar.gz")
    assert f"\nVersion: {version}\n" in sources["PKG-INFO"].decode() and "hdp_hw/golden/bits/digits.py" in sources
    assert not [name for name in sources if name.startswith(("build", ".venv"))]


def test_unknown_configuration_is_refused(tmp_path):
    done = release("tinny", "--output", tmp_path / "dist")
    assert (done.returncode, done.stdout, (tmp_path / "dist").exists()) == (1, "", False)
    assert done.stderr.splitlines()[-1].startswith("release: tinny is no named configuration; legal: tiny, edge, ")


def test_without_a_commit_there_is_no_release(tmp_path):
    """As in an unpacked source distribution."""
    environment = {"GIT_DIR": str(tmp_path / "none")}
    done = release("tiny", "--output", tmp_path / "dist", environment=environment)
    assert done.returncode == 1 and re.fullmatch(r"release: git failed: fatal: not a git .*\n", done.stderr)


def test_citation():
    """The fields that CFF 1.2.0 demands, and the project's own version; the date is that of the changelog."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited["cff-version"] == "1.2.0"
    assert cited["version"] == hdp_hw.__version__ and cited["license"] == "BSD-2-Clause" and cited["type"] == "software"
    heading = f"## {cited['version']} - {cited['date-released'].isoformat()}"
    assert heading in (ROOT / "CHANGELOG.md").read_text().splitlines()
    assert isinstance(cited["date-released"], datetime.date)
    people = [*cited["authors"], *(author for each in cited["references"] for author in each["authors"])]
    assert all("name" in person or {"family-names", "given-names"} <= set(person) for person in people)
    (paper,) = cited["references"]
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:2407.12893"}]
    assert all({"type", "title", "authors"} <= set(each) for each in cited["references"])
