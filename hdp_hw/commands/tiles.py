"""hdp-hw tiles: arrays of several sizes, see hdp_hw.deliver.synth.published."""

import argparse

from hdp_hw.commands.arguments import add_place_and_route

NAME, HELP = "tiles", "synthesise arrays of several sizes, for docs/synthesis.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place_and_route(parser, "an ECP5 (default: LFE5U-85F)")


def run(arguments: argparse.Namespace) -> int:
    from hdp_hw.deliver.synth.published import check_published, compare_sizes

    check_published()
    target = arguments.device, arguments.speed, arguments.seeds
    compare_sizes(*target, limit=60 * arguments.minutes, search=arguments.search, mhz=arguments.mhz)
    return 0
