"""hdp-hw profile: whether pruning pays for a model, see hdp_hw.study.accuracy."""

import argparse
import os

from hdp_hw.commands.arguments import add_calibration, add_output, integer, progress, search_of, typed, workplace_of
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.output_file import write

NAME, HELP = "profile", "what pruning saves and costs for a model, and whether it pays"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_calibration(parser)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate (default: calibrated first)")
    text = "inputs to predict cycles of (default: 8)"
    parser.add_argument("--timed", metavar="N", type=integer(1), default=8, help=text)
    add_output(parser, NAME)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share the work out among themselves
    from hdp_hw.study.accuracy.calibrate import calibrate, judge, unseen_of
    from hdp_hw.study.accuracy.page import page
    from hdp_hw.study.accuracy.profile import profile, write_json

    place = workplace_of(arguments, arguments.settings)
    print(place.task.describe(), flush=True)
    if place.layers:
        task, outcome = unseen_of(arguments.settings, place.task)
        judged = judge(task, place.layers, place.params, arguments.threads, progress)
        said: tuple[str, ...] = (outcome,)
    else:
        found = calibrate(place, *search_of(arguments))
        task, judged, said = found.parts.judging, found.judged or found.accepted, (found.promise(), found.outcome())
    progress("clock cycles and bytes")
    result = profile(task, judged, arguments.max_loss, arguments.timed, said)
    path = write_json(result, arguments.output, f"{task.model.name}-{task.name}")
    print(result.text())
    print(path)
    try:
        write(path.with_suffix(".html"), page(result, place, typed()))
        print(path.with_suffix(".html"))
    except MissingPackage as error:
        progress(f"no page: {error}")
    print(place.task.describe())
    return 0
