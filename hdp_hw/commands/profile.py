"""hdp-hw profile: whether pruning pays for a model, see hdp_hw.study.accuracy."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hdp_hw.commands.arguments import add_calibration, add_output, integer, progress, search_of, typed, workplace_of
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import ParameterError

if TYPE_CHECKING:
    from hdp_hw.study.accuracy.calibrate import Workplace
    from hdp_hw.study.accuracy.profile import Profile
    from hdp_hw.study.tasks import Task

NAME, HELP = "profile", "what pruning saves and costs for a model, and whether it pays"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_calibration(parser)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate (default: calibrated first)")
    text = "inputs to predict cycles of (default: 8)"
    parser.add_argument("--timed", metavar="N", type=integer(1), default=8, help=text)
    text = "judge the settings on inputs cut to these lengths, too: 128,256,512"
    parser.add_argument("--lengths", metavar="N,...", type=lengths, default=(), help=text)
    add_output(parser, NAME)


def lengths(text: str) -> tuple[int, ...]:
    """Ascending lengths of ``128,256``."""
    return tuple(sorted({integer(1)(each) for each in text.split(",")}))


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share the work out among themselves
    from hdp_hw.study.accuracy.calibrate import calibrate, judge, unseen_of
    from hdp_hw.study.accuracy.page import page
    from hdp_hw.study.accuracy.profile import profile, write_json

    place = workplace_of(arguments, arguments.settings)
    check_lengths(place.task, arguments.lengths)
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
    cut = {n: profile_cut(arguments, n, place, result) for n in arguments.lengths}
    result = replace(result, cut=cut)
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


def profile_cut(arguments: argparse.Namespace, n: int, place: "Workplace", whole: "Profile") -> "Profile":
    """Profile of the examples of another, ``whole``, whose inputs are cut to ``n`` positions, under its settings.

    place : Workplace of the other.
    """
    from hdp_hw.study.accuracy.calibrate import judge
    from hdp_hw.study.accuracy.parts import digests
    from hdp_hw.study.accuracy.profile import profile

    if n == longest(place.task):
        return profile(whole.task, whole.trial, arguments.max_loss, arguments.timed, length=n)
    known = set(digests(whole.task))
    examples = [index for index, digest in enumerate(digests(place.task)) if digest in known]
    task = workplace_of(argparse.Namespace(**vars(arguments) | {"max_tokens": n})).task.subset(examples)
    judged = judge(task, whole.trial.layers, place.params, arguments.threads, progress)
    return profile(task, judged, arguments.max_loss, arguments.timed, length=n)


def check_lengths(task: "Task", lengths: tuple[int, ...]) -> None:
    """Raise ParameterError for a length that no input of a task reaches."""
    if lengths and lengths[-1] > longest(task):
        raise ParameterError("lengths", lengths[-1], f"1 to {longest(task)}, the positions of the longest input")


def longest(task: "Task") -> int:
    """Positions of the longest input."""
    return max(map(task.model.encoder.seq_len, task.inputs))
