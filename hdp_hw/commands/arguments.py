"""What the arguments of several commands share: ranges of numbers, and how a configuration or a workload is named."""

import argparse
import math
import os
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hdp_hw.spec.configs import CONFIGS, load_config
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import Rule

if TYPE_CHECKING:
    from hdp_hw.study.accuracy.calibrate import Workplace
    from hdp_hw.study.explore.workload import Workload

PROCESSORS = os.cpu_count() or 1
RULES = ("mass", "margin", "row_threshold")  #: that a calibration may choose from
MODEL = "a folder of Hugging Face, an installed package, or minilm"
DATA = "examples: .csv, .tsv, .txt, .jsonl or .npz (default: built-in ones)"


class UsageError(Exception):
    """A command line that cannot be understood; the message is a line."""


class CommandParser(argparse.ArgumentParser):
    """A parser that takes options between the words of a configuration, and says what is wrong in one line.

    Raises UsageError.
    """

    _intermixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._intermixing or self._subparsers:
            return super().parse_known_args(args, namespace)
        self._intermixing = True  # some versions of argparse come back here for each of two rounds
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._intermixing = False

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message.removeprefix('argument ')}; {self.prog} --help explains the arguments")


def integer(low: int, high: int | None = None) -> Callable[[str], int]:
    """What reads an integer of a range."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            legal = f"{low} or more" if high is None else f"{low} to {high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: an integer, {legal}")
        return value

    return read


def number(above: float, high: float | None = None) -> Callable[[str], float]:
    """What reads a finite number above ``above`` and up to ``high``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value <= above or (high is not None and value > high):
            legal = f"above {above:g}" + ("" if high is None else f", up to {high:g}")
            raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: a number {legal}")
        return value

    return read


def folder(text: str) -> Path:
    """A folder that can be written to, or made."""
    path = Path(text).absolute()
    place = next(each for each in (path, *path.parents) if each.exists())
    if not place.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: a folder, and {place} is none")
    if not os.access(place, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: a folder that can be written to")
    return Path(text)


def settings_file(text: str) -> Path:
    """A settings file that can be written."""
    if Path(text).suffix not in (".json", ".toml") or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: a name that ends in .json or .toml")
    return folder(str(Path(text).parent)) / Path(text).name


def add_hidden(parser: argparse.ArgumentParser, old: str, new: str, read: Callable[[str], Any]) -> None:
    """Take an option's old name ``old`` for that whose attribute is ``new``."""
    parser.add_argument(old, dest=new, type=read, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def add_config(parser: argparse.ArgumentParser, default: str | None = None, help: str | None = None) -> None:
    """The words that choose a configuration, ``CONFIG [NAME=VALUE ...]``; :func:`config_of` reads them.

    default : where no CONFIG is given; help : what that is, where there is no name for it.
    """
    needed = default is None and help is None
    names = f"{', '.join(CONFIGS)} or a TOML file" + (f" (default: {help or default})" if not needed else "")
    parser.add_argument("config", metavar="CONFIG", nargs=None if needed else "?", default=default, help=names)
    parser.add_argument(
        "overrides", metavar="NAME=VALUE", nargs="*", default=[], help="a parameter to change, such as TILE=4"
    )
    parser.set_defaults(default_config=default)


def config_of(arguments: argparse.Namespace) -> tuple[str, HdpParams]:
    """``(label, parameters)`` that the command line asks for. Raises ParameterError."""
    config, overrides = words_of(arguments)
    if config is None:
        raise ParameterError("CONFIG", "", f"{', '.join(CONFIGS)} or a TOML file")
    return load_config(config, overrides)


def words_of(arguments: argparse.Namespace) -> tuple[str | None, list[tuple[str, str]]]:
    """``(CONFIG, [(name, value)])`` that the command line asks for. Raises ParameterError."""
    if arguments.config is None or is_config(arguments.config):
        return arguments.config, overrides_of(arguments.overrides)
    return arguments.default_config, overrides_of([arguments.config, *arguments.overrides])


def is_config(word: str) -> bool:
    """Whether a word names a configuration, and not a change of one."""
    return "=" not in word or word.endswith(".toml")


def overrides_of(texts: Iterable[str]) -> list[tuple[str, str]]:
    """``[(name, value)]`` of NAME=VALUE texts. Raises ParameterError."""
    overrides = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(name, "", "NAME=VALUE")
        overrides.append((name, value))
    return overrides


def add_place_and_route(parser: argparse.ArgumentParser, devices: str) -> None:
    """The arguments of commands that place and route; devices : help on them."""
    parser.add_argument("--device", default="LFE5U-85F", help=devices)
    text = "grade of an ECP5, 6 to 8 (default: 6, the slowest)"
    parser.add_argument("--speed", metavar="GRADE", type=integer(6, 8), default=6, help=text)
    text = "of place and route (default: 1); without a number, synthesis alone"
    parser.add_argument("--seeds", metavar="SEED", type=integer(0), nargs="*", default=[1], help=text)
    text = "of processor time, a seed (default: 60)"
    parser.add_argument("--minutes", metavar="MINUTES", type=number(0), default=60.0, help=text)
    text = "that place and route works for (default: 100); it says what it reached"
    parser.add_argument("--mhz", metavar="F", type=number(0.001, 10_000), default=100.0, help=text)
    text = "try every placer and router for each seed, not only the next where one does not route"
    parser.add_argument("--search", action="store_true", help=text)


def add_output(parser: argparse.ArgumentParser, command: str) -> None:
    """The folder that a command writes to."""
    default = Path("build", command)
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=folder, default=str(default), help=f"(default: {default})"
    )


def add_model(parser: argparse.ArgumentParser, holder: str) -> None:
    """A model and its examples; holder : of the tokens, to which texts are cut."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--data", metavar="FILE", help=DATA)
    add_columns(parser)
    text = f"cut texts (default: what the {holder} holds)"
    parser.add_argument("--max-tokens", metavar="N", type=integer(1), help=text)


def add_columns(parser: argparse.ArgumentParser) -> None:
    """Which columns of a file of examples are read."""
    text = (
        "text=NAME,label=NAME, or numbers from 1 without a heading; text twice for pairs (default: by their headings)"
    )
    parser.add_argument("--columns", metavar="ROLE=NAME,...", help=text)


def share(text: str) -> float:
    """0.01 of ``1%`` or ``0.01``."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: 0% to 100% of the metric, or 0 to 1")
    return value


def confidence(text: str) -> float:
    """0.95 of ``95%`` or ``0.95``."""
    try:
        value = share(text)
    except argparse.ArgumentTypeError:
        value = math.nan
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not legal; legal: 50% up to below 100%, or 0.5 up to below 1")
    return value


def rules(text: str) -> tuple[Rule, ...]:
    """Block rules of ``mass,margin``."""
    names = text.split(",")
    for name in names:
        if name not in RULES:
            legal = f"{', '.join(RULES)}, with commas between them"
            raise argparse.ArgumentTypeError(f"{name!r} is not legal; legal: {legal}")
    return tuple(Rule[name.upper()] for name in names)


def add_calibration(parser: argparse.ArgumentParser) -> None:
    """The arguments of commands that calibrate a model; :func:`search_of` and :func:`workplace_of` read them."""
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads")
    parser.add_argument("--examples", metavar="N", type=integer(1), help="random examples to use (default: all)")
    add_hidden(parser, "--limit", "examples", integer(1))
    parser.add_argument("--max-loss", metavar="SHARE", type=share, default="1%", help="of the metric (default: 1%%)")
    text = f"block rules to try (default: {','.join(RULES)})"
    parser.add_argument("--rules", metavar="RULE,...", type=rules, default=",".join(RULES), help=text)
    text = "inputs to try choices on (default: 16)"
    parser.add_argument("--sample", metavar="N", type=integer(1), default=16, help=text)
    parser.add_argument("--steps", metavar="N", type=integer(1), default=8, help="settings to measure (default: 8)")
    text = "with which the loss stays within what is allowed (default: 95%%)"
    parser.add_argument("--confidence", metavar="SHARE", type=confidence, default="95%", help=text)
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    parser.add_argument("--threads", metavar="N", type=integer(1), default=PROCESSORS, help="(default: all processors)")
    add_hidden(parser, "--jobs", "threads", integer(1))


def workplace_of(arguments: argparse.Namespace, settings: str | None = None) -> "Workplace":
    """The model, its task and its core that the command line asks for, and layers of a settings file.

    Raises ParameterError, Failure, OSError.
    """
    from hdp_hw.study.accuracy.calibrate import open_workplace

    config, overrides = words_of(arguments)
    sizes = arguments.max_tokens, arguments.examples
    chosen = arguments.model, arguments.data, config, overrides
    return open_workplace(*chosen, *sizes, arguments.threads, progress, arguments.seed, arguments.columns, settings)


def search_of(arguments: argparse.Namespace) -> tuple[Any, ...]:
    """What :func:`hdp_hw.study.accuracy.calibrate.calibrate` takes after a workplace."""
    sizes = arguments.sample, arguments.steps, arguments.threads
    return arguments.max_loss, arguments.rules, *sizes, progress, arguments.confidence


def progress(line: str) -> None:
    """A line of progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def add_processes(parser: argparse.ArgumentParser) -> None:
    """Where the points of a sweep are evaluated."""
    text = "(default: all processors)"
    parser.add_argument("--processes", metavar="N", type=integer(1), default=PROCESSORS, help=text)
    add_hidden(parser, "--jobs", "processes", integer(1))
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster whose workers do the work instead")


def add_latency(parser: argparse.ArgumentParser) -> None:
    """The memory that a co-processor is simulated with."""
    text = "of the memory (default: 20)"
    parser.add_argument("--latency", metavar="CYCLES", type=integer(0), default=20, help=text)


def add_inferences(parser: argparse.ArgumentParser, reads: str) -> None:
    """How a model in integers comes about, and the memory and clock that it runs with; reads : why examples are."""
    text = f"random examples to read, {reads} (default: 300)"
    parser.add_argument("--examples", metavar="N", type=integer(4), default=300, help=text)
    text = "examples to calibrate with, at most (default: 128)"
    parser.add_argument("--sample", metavar="N", type=integer(1), default=128, help=text)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate: prune (default: all dense)")
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    text = "of the clock (default: 100)"
    parser.add_argument("--mhz", metavar="F", type=number(0.001, 10_000), default=100.0, help=text)
    add_latency(parser)


def add_workload(parser: argparse.ArgumentParser) -> None:
    """The arguments that choose a workload; :func:`workload_of` reads them."""
    text = "minilm, wide, or a settings file of hdp-hw calibrate (default: minilm)"
    parser.add_argument("--workload", metavar="NAME|FILE", default="minilm", help=text)
    parser.add_argument("--model", metavar="MODEL", help="that the settings file was made for")
    parser.add_argument("--data", metavar="FILE", help="examples for the model (default: built-in ones)")
    add_columns(parser)
    text = "random examples to compute (default: 1)"
    parser.add_argument("--examples", metavar="N", type=integer(1), default=1, help=text)
    add_hidden(parser, "--inputs", "examples", integer(1))


def workload_of(arguments: argparse.Namespace) -> "Workload":
    """The workload that the command line asks for."""
    from hdp_hw.study.explore.workload import Workload

    return Workload(arguments.workload, arguments.model, arguments.data, arguments.examples, arguments.columns)


def typed() -> str:
    """The command line, for reports."""
    return shlex.join(["hdp-hw", *sys.argv[1:]])
