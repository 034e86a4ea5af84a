"""hdp-hw accuracy: a whole model in integers against floats, see hdp_hw.study.encoder."""

import argparse
import os

from hdp_hw.commands.arguments import (
    DATA,
    PROCESSORS,
    add_config,
    add_hidden,
    add_model,
    add_output,
    integer,
    progress,
    workplace_of,
)

NAME, HELP = "accuracy", "what a whole model in integers, linear layers included, loses against floats"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads")
    parser.add_argument("--examples", metavar="N", type=integer(4), help="random examples to use (default: all)")
    text = DATA.replace("built-in ones", "some of --data, which are then not judged by")
    parser.add_argument("--calibration", metavar="FILE", help=f"to calibrate with: {text}")
    text = "examples to calibrate with, at most (default: 128)"
    parser.add_argument("--sample", metavar="N", type=integer(1), default=128, help=text)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate: prune (default: all dense)")
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    parser.add_argument("--threads", metavar="N", type=integer(1), default=PROCESSORS, help="(default: all processors)")
    add_hidden(parser, "--jobs", "threads", integer(1))
    add_output(parser, NAME)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share the work out among themselves
    from hdp_hw.study.accuracy.profile import write_json
    from hdp_hw.study.encoder.accuracy import measure
    from hdp_hw.study.tasks import load_task

    place = workplace_of(arguments, arguments.settings)
    print(place.task.describe(), flush=True)
    calibration = None
    if arguments.calibration:
        tokens = min(arguments.max_tokens or place.params.max_seq_len, place.params.max_seq_len)
        calibration = load_task(arguments.calibration, place.task.model, tokens, arguments.sample, arguments.seed)
    result = measure(place, calibration, arguments.sample, arguments.threads, progress)
    path = write_json(result, arguments.output, f"{result.task.model.name}-{result.task.name}")
    print(result.text())
    print(path)
    return 0
