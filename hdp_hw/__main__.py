"""Command line: ``hdp-hw`` or ``python -m hdp_hw``. Each command is a file of hdp_hw/commands."""

import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from hdp_hw import __version__
from hdp_hw.commands import (
    accuracy,
    bench,
    board,
    calibrate,
    compare,
    compile,
    configs,
    energy,
    explore,
    faults,
    generate,
    profile,
    registers,
    run,
    soc,
    synth,
    tiles,
)
from hdp_hw.commands.arguments import CommandParser, UsageError
from hdp_hw.spec.failure import Failure
from hdp_hw.spec.params import ParameterError

COMMANDS = (
    generate, configs, bench, compare, faults, calibrate, profile, accuracy, compile, run, explore, energy, synth,
    tiles, board, soc, registers,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 2 for what the user can mend, 130 after ^C, 143 after SIGTERM."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # progress shows at once, in whole lines, in a file or a pipe too; what a locale lacks ends no command
            stream.reconfigure(line_buffering=True, write_through=False, errors="backslashreplace")
    name = "hdp-hw"
    if argv is None:
        signal.signal(signal.SIGTERM, terminate)
    try:
        arguments = command_line().parse_args(argv)
        name = f"hdp-hw {arguments.command}"
        return arguments.run(arguments)
    except UsageError as error:
        return fail(str(error), 2)
    except ParameterError as error:
        return fail(f"hdp-hw: {error}", 2)
    except BrokenPipeError:
        return give_up_output(141)  # as a program that this signal ends: who reads has enough
    except OSError as error:
        code = fail(f"hdp-hw: {error.filename or 'output'}: {error.strerror or error}", 2)
        return code if error.filename else give_up_output(code)
    except Failure as error:
        return fail(f"{name}: {error}", 1)
    except KeyboardInterrupt as interruption:
        code = fail(f"{name}: interrupted", 143 if interruption.args else 130)
        if argv is None:
            os._exit(code)  # threads that simulate are not waited for
        return code


def terminate(number: int, frame: object) -> None:
    """End on SIGTERM as on ^C, with the processes that work for this one."""
    raise KeyboardInterrupt(number)


def fail(line: str, code: int) -> int:
    """Say what is wrong; returns the exit code."""
    print(line, file=sys.stderr, flush=True)
    return code


def give_up_output(code: int) -> int:
    """Let nothing more be written to standard output, which fails; returns the exit code."""
    with suppress(OSError, ValueError):  # one that is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


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
