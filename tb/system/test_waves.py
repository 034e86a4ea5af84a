"""WAVES=1 leaves waves of every run."""

import os
import subprocess
import sys

import pytest

from tb.lib.simulation import ROOT, SIMULATORS

BENCH = "tb/unit/pruning/test_coarse_exp.py"


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_waves(simulator):
    folder = f"waves-{simulator}"
    environment = os.environ | {"WAVES": "1", "HDP_SIM_FOLDER": folder}
    command = [sys.executable, "-m", "pytest", "-q", "--slow", "-p", "no:cacheprovider", "-k", simulator, BENCH]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert not result.returncode, result.stdout
    waves = [path for path in (ROOT / "build" / folder).rglob("*") if path.suffix in (".fst", ".vcd")]
    assert waves and all(path.stat().st_size > 1000 for path in waves)
