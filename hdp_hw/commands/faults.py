"""hdp-hw faults: all that can go wrong around the co-processor, see hdp_hw.simulation.fault_table."""

import argparse

from hdp_hw.commands.arguments import add_config, config_of, integer

NAME, HELP = "faults", "do to the simulated co-processor all that can go wrong"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser, default="tiny")
    text = "of what strikes at random (default: 300)"
    parser.add_argument("--tries", metavar="N", type=integer(1), default=300, help=text)
    parser.add_argument("--seed", type=integer(0), default=1, help="of all that is random (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    label, params = config_of(arguments)
    from hdp_hw.simulation import fault_table  # numpy and the golden models: slow to import

    return int(not fault_table.run(label, params, arguments.tries, arguments.seed))
