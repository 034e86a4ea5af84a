"""Links around spaces and umlauts in paths, and benches in a checkout that has them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb.lib.plain_path import ROOT, plain
from tb.lib.simulation import SIMULATORS


def test_plain_paths_stay():
    assert plain("-I/opt/a+b.c/x_1-2", (Path("/opt/a+b.c"),)) == "-I/opt/a+b.c/x_1-2"


def test_links(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "Größe 1"
    folder.mkdir()
    (folder / "file").write_text("here")
    first, second = plain(f"-L{folder}/file", (folder,)), plain(f"-L{folder}/file", (folder,))
    assert first == second and " " not in first and first.isascii()
    assert Path(first.removeprefix("-L")).read_text() == "here"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The sources in a folder with a space and an umlaut, with the environment of this one."""
    copy = tmp_path_factory.mktemp("checkout") / "Größe 1"
    ignored = shutil.ignore_patterns("build", ".venv", ".git", "__pycache__", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignored)
    (copy / ".venv" / "bin").mkdir(parents=True)
    python = copy / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return copy


def run(checkout, *command):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MAKEFLAGS")}
    command = [str(word) for word in command]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_make_verilog(checkout):
    (checkout / "my core.toml").write_text("tile = 2\nlanes = 16\n")
    said = run(checkout, "make", "verilog", "PYTHON=true", "CONFIG=my core.toml", "MAX_SEQ_LEN=32", "N_CORES=2")
    (folder,) = {Path(line.partition(": ")[0]).parent for line in said.splitlines() if "hdp_core.v: " in line}
    assert folder.name.startswith("my_core-") and folder.name.endswith("-max_seq_len32-n_cores2")
    assert (checkout / folder / "hdp_top.v").stat().st_size > 100_000


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_bench(checkout, simulator):
    bench = ["tb/unit/common/test_pipeline.py", "--slow", "-k", f"test_adder_tree and {simulator}-1"]
    passed = run(checkout, checkout / ".venv" / "bin" / "python", "-m", "pytest", "-q", "-p", "no:xdist", *bench)
    assert " passed" in passed and "failed" not in passed
