"""Commands that the documentation shows: each is one that make and the parsers take, and the cheap ones are run."""

import re
import shlex
from pathlib import Path

import pytest

from hdp_hw.__main__ import command_line, main
from hdp_hw.commands.arguments import config_of, words_of, workload_of
from hdp_hw.study.explore.area import AreaModel, load_records
from hdp_hw.study.explore.space import grid_of, points
from hdp_hw.study.explore.targets import target_of
from hdp_hw.study.explore.workload import limits
from tb.lib.docs import DOCS
from tb.lib.make import make

ROOT = DOCS.parent
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
START = r"(?:\.venv/bin/)?(?:python -m hdp_hw|hdp-hw)"
PLACEHOLDERS = {"N": "2", "LOSS": "1%", "CONFIG": "tiny", "DEVICE": "xc7", "BOARD": "ulx3s"}


def typed(start):
    """``(file, line)`` of commands that begin so, in indented blocks and between backticks."""
    for path in FILES:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
        lines = re.findall(rf"^    ({start} .*)", text, re.M)
        lines += [span.replace("\n", " ") for span in re.findall(rf"`((?:\w+=\w+ )?{start} [^`]*)`", text)]
        for line in lines:
            yield path.name, line.partition("  #")[0].rstrip(" .")


COMMANDS = list(dict.fromkeys(typed(START)))
MAKES = list(dict.fromkeys(typed("make")))


def parsed(line):
    """What a line of hdp-hw says. Raises UsageError, ParameterError."""
    words = shlex.split(re.sub(START, "", line, count=1).replace("...", " "))
    arguments = command_line().parse_args([PLACEHOLDERS.get(word, word) for word in words])
    if "overrides" in arguments and (config := words_of(arguments)[0]) and not config.endswith(".toml"):
        config_of(arguments)
    return arguments


def test_there_are_some():
    assert len(COMMANDS) > 15 and len(MAKES) > 15
    assert {name for name, _ in COMMANDS} >= {"README.md", "models.md", "comparison.md", "explore.md", "energy.md"}


@pytest.mark.parametrize(("file", "line"), COMMANDS)
def test_command_is_understood(file, line):
    if re.fullmatch(rf"{START} [a-z]+( layer| core)?", line):  # its name alone
        assert re.split(r"hdp.hw ", line)[1].split()[0] in command_line().format_help()
    else:
        parsed(line)


@pytest.mark.parametrize(("file", "line"), MAKES)
def test_make_is_understood(file, line):
    """The target is there, takes these variables, and runs a command that its parser takes."""
    words = shlex.split(line.replace("...", " "))
    done = make("-n", *words[words.index("make") + 1 :])
    assert done.returncode == 0, done.stderr
    for command in done.stdout.splitlines():
        if "tools/setup.py" in command:
            given, takes = (re.findall(rf"--{name} '([^']*)'", command)[0].split() for name in ("given", "takes"))
            assert set(given) <= set(takes), f"{file}: {line}"
        elif "-m hdp_hw " in command:
            parsed(".venv/bin/python -m hdp_hw " + command.partition("-m hdp_hw ")[2])


@pytest.mark.parametrize("line", ["hdp-hw energy edge --workload wide", "hdp-hw energy tiny"])
def test_cheap_commands_run(line, capsys):
    assert line in [shown for _, shown in COMMANDS]
    assert main(shlex.split(line)[1:]) == 0 and "in all" in capsys.readouterr().out


def test_explorations_find_something():
    """What docs/explore.md sweeps has points whose area fits the device."""
    lines = [line for file, line in COMMANDS if file == "explore.md" and "--sweep" in line]
    assert len(lines) >= 2
    for arguments in map(parsed, lines):
        legal, _ = points(grid_of(arguments.sweep), limits(workload_of(arguments).layers))
        model, device = AreaModel.of(load_records(build=Path("none"))), target_of(arguments.target)
        assert any(not device.lacks(model.area(each)[0], arguments.fill) for each in legal if not model.gap(each))
