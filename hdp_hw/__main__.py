"""Command line: ``hdp-hw`` or ``python -m hdp_hw``. Each command is a file of hdp_hw/commands."""

import io
import sys
from collections.abc import Sequence

from hdp_hw import __version__
from hdp_hw.commands import (
    bench,
    board,
    calibrate,
    compare,
    configs,
    energy,
    explore,
    faults,
    generate,
    profile,
    registers,
    synth,
    tiles,
)
from hdp_hw.commands.arguments import CommandParser, UsageError
from hdp_hw.spec.failure import Failure
from hdp_hw.spec.params import ParameterError

COMMANDS = (
    generate, configs, bench, compare, faults, calibrate, profile, explore, energy, synth, tiles, board, registers,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code, 2 for what the user can mend."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # progress shows at once in a file or a pipe, too
    name = "hdp-hw"
    try:
        arguments = command_line().parse_args(argv)
        name = f"hdp-hw {arguments.command}"
        return arguments.run(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except (ParameterError, OSError) as error:
        print(f"hdp-hw: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1


def command_line() -> CommandParser:
    """The parser of all commands."""
    parser = CommandParser(prog="hdp-hw", description="Generator of the HDP-HW attention core.")
    parser.add_argument("--version", action="version", version=f"hdp-hw {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for each in COMMANDS:
        command = commands.add_parser(each.NAME, help=each.HELP, description=each.HELP)
        each.add_arguments(command)
        command.set_defaults(run=each.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
