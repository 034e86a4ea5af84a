"""hdp-hw explore: which co-processors are worth building, see hdp_hw.study.explore."""

import argparse

from hdp_hw.commands.arguments import add_latency, add_output, add_processes, add_workload, number, typed, workload_of

NAME, HELP = "explore", "which co-processors are worth building for a device and a workload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--target", metavar="DEVICE", default="ecp5-85", help="ecp5-25, ecp5-45 or ecp5-85 (default)")
    add_workload(parser)
    text = "values of a parameter (default: legal ones)"
    parser.add_argument("--sweep", metavar="NAME=VALUE,...", nargs="+", default=[], help=text)
    add_latency(parser)
    text = "of the LUTs to use (default: 0.9)"
    parser.add_argument("--fill", metavar="SHARE", type=number(0, 1), default=0.9, help=text)
    parser.add_argument("--check", action="store_true", help="simulate and synthesise the Pareto points")
    add_processes(parser)
    add_output(parser, NAME)


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.study.explore import command
    from hdp_hw.study.explore.space import grid_of
    from hdp_hw.study.explore.worker import Job

    job, grid = Job(workload_of(arguments), arguments.latency), grid_of(arguments.sweep)
    processes = arguments.processes, arguments.scheduler
    where = arguments.target, arguments.output
    command.explore(job, grid, *where, *processes, arguments.fill, arguments.check, typed())
    return 0
