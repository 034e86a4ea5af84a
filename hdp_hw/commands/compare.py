"""hdp-hw compare: HDP and its peers on a model, see hdp_hw.study.compare."""

import argparse

from hdp_hw.commands.arguments import add_config, add_model, add_output, add_processes, config_of, integer, typed

NAME, HELP = "compare", "accuracy against net saving, of HDP and its peers, on a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "array")
    add_config(parser, default="tiny")
    text = "examples to judge settings by (default: 100)"
    parser.add_argument("--examples", metavar="N", type=integer(2), default=100, help=text)
    text = "others, to choose settings by (default: as many)"
    parser.add_argument("--search", metavar="N", type=integer(2), help=text)
    text = "examples to choose settings by (default: a half of --data)"
    parser.add_argument("--calibration", metavar="FILE", help=text)
    text = "inputs to predict cycles of (default: 20)"
    parser.add_argument("--timed", metavar="N", type=integer(1), default=20, help=text)
    text = "curves with one of these in their names"
    parser.add_argument("--only", metavar="TEXT", nargs="+", default=[], help=text)
    text = "try every N-th setting of each curve (default: 1)"
    parser.add_argument("--every", metavar="N", type=integer(1), default=1, help=text)
    text = "settings of this model, as the driver reads them, to add"
    parser.add_argument("--settings", metavar="FILE", help=text)
    add_processes(parser)
    add_output(parser, NAME)


def run(arguments: argparse.Namespace) -> int:
    params = config_of(arguments)[1]
    from hdp_hw.study.compare.command import compare
    from hdp_hw.study.compare.worker import Job

    tokens = min(arguments.max_tokens or params.max_seq_len, params.max_seq_len)
    sizes = tokens, arguments.examples, arguments.search or arguments.examples, arguments.timed
    files = arguments.settings, arguments.columns, arguments.calibration
    job = Job(arguments.model, arguments.data, *sizes, params, *files)
    options = arguments.only, arguments.every, arguments.processes, arguments.scheduler
    compare(job, arguments.output, *options, typed())
    return 0
