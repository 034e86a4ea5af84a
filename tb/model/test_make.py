"""make: every parameter of a core, quoted; what a target does not take is refused; the environment changes nothing."""

import shlex

import pytest

from hdp_hw.spec.configs import NAMES
from tb.lib.make import ROOT, make


def typed(*words, environment=()):
    """Words of the last command that make would run, after ``python -m``."""
    done = make("-n", *words, environment=environment)
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout.splitlines()[-1])[2:]


def test_every_parameter():
    words = [f"{name.upper()}={value}" for value, name in enumerate(NAMES)]
    for target, command in (
        ("verilog", ["generate", "tiny"]),
        ("faults", ["faults", "tiny"]),
        ("bench", ["bench", "core"]),
    ):
        assert typed(target, *words) == ["hdp_hw", *command, *words]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["verilog", "CONFIG=my core.toml"], ["generate", "my core.toml"]),
        (["verilog", "CONFIG=it's.toml", "TILE=4"], ["generate", "it's.toml", "TILE=4"]),
        (["verilog", "TILE="], ["generate", "tiny", "TILE="]),
        (["bench-layer"], ["bench", "layer"]),
        (
            ["bench", "CONFIG=tiny", "BENCH_ARGS=--quick --threads 1"],
            ["bench", "core", "tiny", "--quick", "--threads", "1"],
        ),
        (["profile", "DATA=my pairs.tsv", "TILE=2"], ["profile", "minilm", "TILE=2", "--data", "my pairs.tsv"]),
        (["synth", "CONFIG=edge", "DEVICE=xc7"], ["synth", "edge", "--device", "xc7"]),
        (["board", "LANES=4"], ["board", "ulx3s", "tiny", "LANES=4", "--build"]),
        (["explore", "TARGET=ecp5-25"], ["explore", "--target", "ecp5-25", "--workload", "minilm"]),
    ],
)
def test_words(words, command):
    assert typed(*words) == ["hdp_hw", *command]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ["verilog", "TILES=4"],
            "TILES is no variable of this target; do you mean TILE? legal: PYTHON, CONFIG, TILE, ",
        ),
        (["verilog", "tile=4"], "tile is no variable of this target; do you mean TILE? "),
        (["synth", "DEVISE=xc7"], "DEVISE is no variable of this target; do you mean DEVICE? "),
        (["test", "TILE=2"], "TILE is no variable of this target; legal: "),
    ],
)
def test_refused(words, hint):
    done = make(*words)
    assert done.returncode == 2 and done.stderr.startswith(f"make: {hint}") and not done.stdout


def test_environment_changes_nothing():
    given = {"LANES": "32", "CONFIG": "edge", "DEVICE": "xc7", "BENCH_ARGS": "--quick", "BOARD": "arty_a7"}
    assert typed("verilog", environment=given) == ["hdp_hw", "generate", "tiny"]
    assert typed("bench", environment=given) == ["hdp_hw", "bench", "core"]
    assert typed("synth", environment=given) == ["hdp_hw", "synth", "tiny"]


def test_help_lists_every_target_and_parameter():
    text = make("help").stdout
    targets = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert sorted(line.split()[0] for line in text.splitlines()[:-1]) == sorted(targets.split()[1:])
    for name in NAMES:
        assert f"{name.upper()}=" in text
