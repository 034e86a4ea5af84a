"""hdp-hw generate: its files, byte-identical on every run."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from hdp_hw.spec.configs import CONFIGS, vars_of

ROOT = Path(__file__).resolve().parents[2]


def generate(folder, seed):
    """The files that a run in a process of its own writes."""
    subprocess.run(
        [sys.executable, "-m", "hdp_hw", "generate", "tiny", "-o", str(folder)],
        cwd=folder.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        check=True,
    )
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_generate(tmp_path):
    files = generate(tmp_path / "one", "1")
    assert files == generate(tmp_path / "two", "2")
    assert {"hdp_core.v", "hdp_top.v", "hdp.c", "hdp.h", "hdp_registers.h", "hdp.core", "manifest.json"} < set(files)
    assert str(ROOT).encode() not in files["hdp_core.v"]

    facts = json.loads(files["manifest.json"])
    assert facts["parameters"] == vars_of(CONFIGS["tiny"])
    assert facts["derived"]["multipliers"] == CONFIGS["tiny"].multipliers
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in files.items() if name != "manifest.json"}
    assert facts["sha256"] == digests
    assert ["aclk", "input", 1] in facts["ports"]["hdp_core"]
    assert ["m_axi_araddr", "output", 40] in facts["ports"]["hdp_top"]
