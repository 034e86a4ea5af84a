"""Numbers on the command line: each has a range, and one that is out of it ends in one line and exit code 2."""

import pytest

from hdp_hw.__main__ import COMMANDS, command_line, main
from hdp_hw.commands.arguments import UsageError, is_config


@pytest.mark.parametrize(
    ("line", "option", "legal"),
    [
        ("bench core --threads 0", "--threads: '0'", "an integer, 1 or more"),
        ("bench core --jobs 0", "--jobs: '0'", "an integer, 1 or more"),
        ("bench layer --cores 0", "--cores: '0'", "an integer, 1 to 8"),
        ("bench layer --latency -1", "--latency: '-1'", "an integer, 0 or more"),
        ("compare vit-digits --processes 0", "--processes: '0'", "an integer, 1 or more"),
        ("compare vit-digits --every 0", "--every: '0'", "an integer, 1 or more"),
        ("compare vit-digits --search 1", "--search: '1'", "an integer, 2 or more"),
        ("compare vit-digits --timed 0", "--timed: '0'", "an integer, 1 or more"),
        ("compare vit-digits --max-tokens -5", "--max-tokens: '-5'", "an integer, 1 or more"),
        ("compare vit-digits --examples 1", "--examples: '1'", "an integer, 2 or more"),
        ("profile vit-digits --limit -1", "--limit: '-1'", "an integer, 1 or more"),
        ("profile vit-digits --steps -1", "--steps: '-1'", "an integer, 1 or more"),
        ("profile vit-digits --sample x", "--sample: 'x'", "an integer, 1 or more"),
        ("profile vit-digits --lengths 8,x", "--lengths: 'x'", "an integer, 1 or more"),
        ("profile vit-digits --max-loss nan", "--max-loss: 'nan'", "0% to 100% of the metric, or 0 to 1"),
        ("profile vit-digits --max-loss 200%", "--max-loss: '200%'", "0% to 100% of the metric, or 0 to 1"),
        ("explore --fill nan", "--fill: 'nan'", "a number above 0, up to 1"),
        ("explore --fill 1.5", "--fill: '1.5'", "a number above 0, up to 1"),
        ("explore --examples 0", "--examples: '0'", "an integer, 1 or more"),
        ("energy --inputs 0", "--inputs: '0'", "an integer, 1 or more"),
        ("synth tiny --minutes inf", "--minutes: 'inf'", "a number above 0"),
        ("synth tiny --speed 9", "--speed: '9'", "an integer, 6 to 8"),
        ("synth tiny --seeds -1", "--seeds: '-1'", "an integer, 0 or more"),
        ("tiles --minutes -3", "--minutes: '-3'", "a number above 0"),
        ("faults --tries 0", "--tries: '0'", "an integer, 1 or more"),
        ("faults --seed 1.5", "--seed: '1.5'", "an integer, 0 or more"),
        ("board ulx3s --baud 0", "--baud: '0'", "an integer, 300 or more"),
    ],
)
def test_out_of_range(line, option, legal, capsys):
    assert main(line.split()) == 2
    said = capsys.readouterr().err
    assert f"{option} is not legal; legal: {legal}; hdp-hw {line.split()[0]}" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "config", "overrides"),
    [
        ("generate edge TILE=2 -o x LANES=4", "edge", ["TILE=2", "LANES=4"]),
        ("energy --workload wide", "edge", []),
        ("compare MODEL --examples 9 tiny TILE=2", "tiny", ["TILE=2"]),
        ("profile MODEL a=b.toml --timed 1", "a=b.toml", []),
        ("board ulx3s", "tiny", []),
    ],
)
def test_configurations_are_named_in_one_way(line, config, overrides):
    """Behind what else a command takes, with options between."""
    arguments = command_line().parse_args(line.split())
    assert (arguments.config, arguments.overrides) == (config, overrides)


def test_words():
    assert is_config("a=b.toml") and is_config("tiny") and not is_config("TILE=4")
    with pytest.raises(UsageError, match="unrecognized arguments: --config tiny"):
        command_line().parse_args(["compare", "MODEL", "--config", "tiny"])


def test_every_command_has_help(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            main([command.NAME, "--help"])
        assert ended.value.code == 0 and command.HELP in " ".join(capsys.readouterr().out.split())
