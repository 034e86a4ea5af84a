"""docs/getting-started.md: its commands print what stands there."""

import re
import shlex
import subprocess
from importlib.util import find_spec

import pytest

from hdp_hw.__main__ import main
from tb.lib.docs import DOCS
from tb.lib.simulation import link_models

PAGE = (DOCS / "getting-started.md").read_text()
NUMBER = r"\d+(?:\.\d+)?"
TOLERANCE = 0.3  #: of numbers that depend on the processor's floating point


def steps():
    """``[(what is typed, what it prints)]``: a line or a block of Python, and the text below, if any."""
    found = []
    for line, language, block in re.findall(r"^    (\S[^\n]*)|^```(\w+)\n(.*?)^```", PAGE, re.M | re.S):
        if language == "text":
            found[-1] = found[-1][0], block
        else:
            found.append((line or block, ""))
    return found


GENERATE, GREP, ATTEND, PROFILE, SENTENCE, TEST = steps()
MODELS = pytest.mark.skipif(not find_spec("tokenizers"), reason="python3 tools/setup.py models")


def test_steps():
    """All that is typed is known here, and what prints something shows it."""
    assert [each[0] for each in (GENERATE, PROFILE, TEST)] == [
        "make verilog",
        "make profile MODEL=bert-tiny-sst2",
        "make test",
    ]
    assert SENTENCE[0].startswith(".venv/bin/hdp-hw run ") and SENTENCE[0].endswith(" --backend simulation")
    assert all(shown for _, shown in (GENERATE, GREP, ATTEND, PROFILE, SENTENCE))


def test_generate(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "tiny"]) == 0  # as make verilog does
    assert capsys.readouterr().out.splitlines(True)[-1] == GENERATE[1]
    assert subprocess.run(shlex.split(GREP[0]), capture_output=True, text=True, check=True).stdout == GREP[1]


def test_attend(tmp_path, monkeypatch, capsys):
    link_models(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(ATTEND[0], {})
    assert capsys.readouterr().out == ATTEND[1]


@MODELS
def test_profile(tmp_path, monkeypatch, capsys):
    """The words are the same, and each number is near."""
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "bert-tiny-sst2"]) == 0
    (printed,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Pruning ")]
    near(printed, PROFILE[1].strip().replace("\n", " "))


@MODELS
@pytest.mark.parametrize("backend", ["emulator", pytest.param("simulation", marks=pytest.mark.slow)])
def test_sentence(tmp_path, monkeypatch, capsys, backend):
    """Likewise, but for what says how long it took."""
    link_models(tmp_path)
    monkeypatch.chdir(tmp_path)
    *words, _ = shlex.split(SENTENCE[0])[1:]
    assert main([*words, backend]) == 0
    kept = re.compile(r"(.*tokens:|.* \d+$|  jobs of|At )")
    near("\n".join(filter(kept.match, capsys.readouterr().out.splitlines())), SENTENCE[1].rstrip())


def near(printed, shown):
    """The words are the same, and each number is near."""
    assert re.sub(NUMBER, "N", printed) == re.sub(NUMBER, "N", shown)
    for number, expected in zip(re.findall(NUMBER, printed), re.findall(NUMBER, shown)):
        assert float(number) == pytest.approx(float(expected), rel=TOLERANCE, abs=0.1)
