"""hdp-hw energy: what pruning saves, see hdp_hw.study.energy."""

import argparse

from hdp_hw.commands.arguments import add_config, add_workload, config_of, workload_of

NAME, HELP = "energy", "estimate the energy of attention, pruned and dense"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser, default="edge")
    add_workload(parser)


def run(arguments: argparse.Namespace) -> int:
    label, params = config_of(arguments)
    from hdp_hw.study.energy.command import report

    print(report(label, params, workload_of(arguments)))
    return 0
