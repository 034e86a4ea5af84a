"""hdp-hw compile: a model to an image that a co-processor runs by one start, see hdp_hw.study.encoder.compiled."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from hdp_hw.commands.arguments import (
    add_config,
    add_latency,
    add_model,
    add_output,
    integer,
    number,
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
    text = (
        "numbers of tokens to compile chains of jobs for, which take fewer too (default: the most of an example, half "
    )
    text += "as many, and so on)"
    parser.add_argument("--tokens", metavar="N,...", type=tokens, default=[], help=text)
    text = "random examples to read, for calibration (default: 300)"
    parser.add_argument("--examples", metavar="N", type=integer(4), default=300, help=text)
    text = "examples to calibrate with, at most (default: 128)"
    parser.add_argument("--sample", metavar="N", type=integer(1), default=128, help=text)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate: prune (default: all dense)")
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    text = "of the clock, for the prediction (default: 100)"
    parser.add_argument("--mhz", metavar="F", type=number(0.001, 10_000), default=100.0, help=text)
    add_latency(parser)
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
