"""hdp-hw board: the demonstration on a board, see hdp_hw.deliver.bitstream."""

import argparse

from hdp_hw.commands.arguments import add_config, config_of, integer

NAME, HELP = "board", "write the demonstration for a board, and build its bitstream"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", metavar="BOARD", help="ulx3s (LFE5U-85F) or arty_a7 (XC7A100T)")
    add_config(parser, default="tiny")
    text = "of the serial line (default: 1000000)"
    parser.add_argument("--baud", metavar="BITS", type=integer(300), default=1_000_000, help=text)
    parser.add_argument("--build", action="store_true", help="build the bitstream, with open tools (ulx3s)")


def run(arguments: argparse.Namespace) -> int:
    params = config_of(arguments)[1]
    from hdp_hw.deliver.bitstream import build

    build(arguments.board, params, arguments.baud, arguments.build)
    return 0
