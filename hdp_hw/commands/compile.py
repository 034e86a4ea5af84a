"""hdp-hw compile: a model to an image that a co-processor runs by one start, see hdp_hw.study.encoder.compiled."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from hdp_hw.commands.arguments import (
    add_config,
    add_inferences,
    add_model,
    add_output,
    integer,
    progress,
    workplace_of,
)

NAME, HELP = "compile", "a model to an image that the co-processor runs by one start; hdp-hw run FOLDER runs it"


def tokens(text: str) -> list[int]:
    """Numbers of ``16,32,64``."""
    return [integer(1)(each) for each in text.split(",")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads; with ENCODER=1")
    text = "numbers of tokens to compile chains of jobs for, which take fewer too (default: the most of an example, "
    text += "half as many, and so on)"
    parser.add_argument("--tokens", metavar="N,...", type=tokens, default=[], help=text)
    add_inferences(parser, "for calibration")
    add_output(parser, NAME)
    parser.set_defaults(threads=1)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from hdp_hw.study.encoder.compiled import compile_place

    place = workplace_of(arguments, arguments.settings)
    place = replace(place, params=replace(place.params, encoder=1))
    print(place.task.describe(), flush=True)
    sizes = arguments.tokens, arguments.sample, arguments.latency, arguments.mhz
    compilation = compile_place(place, *sizes, progress)
    folder = Path(arguments.output)
    compilation.write(folder, arguments.model)
    print(compilation.text())
    print(f"{folder}: run it with hdp-hw run {folder}")
    return 0
