"""hdp-hw soc: a model on a simulated SoC with the co-processor, and on one without, see hdp_hw.soc.run; or a bitstream
of the SoC, see hdp_hw.soc.bitstream."""

import argparse
import os
from dataclasses import replace

from hdp_hw.commands.arguments import add_config, add_model, add_output, integer, workplace_of

NAME, HELP = (
    "soc",
    "firmware that runs a model on a RISC-V SoC, with the co-processor and without: simulated, or a bitstream",
)
BOARDS = ("ulx3s",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads; with ENCODER=1")
    text = "clock cycles after which firmware should have ended (default: 10000000000)"
    parser.add_argument("--limit", metavar="CYCLES", type=integer(1), default=10**10, help=text)
    text = "simulate main memory as an SDRAM behind its controller, to which a loader copies the firmware"
    parser.add_argument("--sdram", action="store_true", help=text)
    text = f"build a bitstream instead, with the model in it: {', '.join(BOARDS)} (LFE5U-85F)"
    parser.add_argument("--board", metavar="BOARD", choices=BOARDS, help=text)
    text = "of place and route for the board; the last one's bitstream is left (default: 1)"
    parser.add_argument("--place-seeds", metavar="SEED", type=integer(0), nargs="+", default=[1], help=text)
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    add_output(parser, NAME)
    parser.set_defaults(threads=1, examples=300)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    place = workplace_of(arguments, None)
    place = replace(place, params=replace(place.params, encoder=1))
    from hdp_hw.soc.model_case import ModelCase

    case = ModelCase.of(place)
    if arguments.board:
        from hdp_hw.soc.bitstream import build_soc

        build_soc(case, arguments.output / f"{place.label}-{arguments.board}", arguments.place_seeds)
        return 0
    from hdp_hw.soc.run import run_soc

    run_soc(case, arguments.output / place.label, arguments.limit, arguments.sdram)
    return 0
