"""hdp-hw calibrate: settings of a model, see hdp_hw.study.accuracy."""

import argparse
import os

from hdp_hw.commands.arguments import add_calibration, search_of, settings_file, typed, workplace_of

NAME, HELP = "calibrate", "find the settings that save most within an allowed loss"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_calibration(parser)
    text = "settings, .json or .toml (default: settings.json)"
    parser.add_argument("-o", "--output", metavar="FILE", type=settings_file, default="settings.json", help=text)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads share the work out among themselves
    from hdp_hw.driver.layer import save_layers
    from hdp_hw.study.accuracy.calibrate import calibrate

    place = workplace_of(arguments)
    print(place.task.describe(), flush=True)
    found = calibrate(place, *search_of(arguments))
    save_layers(arguments.output, found.layers(), {"command": typed(), **found.about()})
    print(f"validation: {found.accepted}")
    print(found.promise())
    print(found.outcome())
    print(arguments.output)
    print(place.task.describe())
    return 0
