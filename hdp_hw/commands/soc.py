"""hdp-hw soc: firmware on a simulated SoC with the co-processor, and on one without, see hdp_hw.soc."""

import argparse
import os

from hdp_hw.commands.arguments import add_config, add_model, add_output, integer, workplace_of

NAME, HELP = "soc", "simulate a RISC-V SoC with the co-processor, and run firmware on it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, default="tiny")
    text = "clock cycles after which firmware should have ended (default: 1000000000)"
    parser.add_argument("--limit", metavar="CYCLES", type=integer(1), default=10**9, help=text)
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    add_output(parser, NAME)
    parser.set_defaults(threads=1, examples=300)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    place = workplace_of(arguments, None)
    from hdp_hw.soc.model_case import NO_MODEL, ModelCase
    from hdp_hw.soc.simulation import SimulatedBoard
    from hdp_hw.soc.vectors import attention_cases, captured_cases

    case, folder = ModelCase.of(place), arguments.output / place.label
    board = SimulatedBoard(place.params, folder / "with")
    print("the SoC with the co-processor:", flush=True)
    board.run({"cases.c": attention_cases(captured_cases(place.params)), "golden.c": NO_MODEL}, arguments.limit)
    board = SimulatedBoard(None, folder / "without")
    print("the SoC without:", flush=True)
    board.run({"cases.c": attention_cases({}), "golden.c": case.source()}, arguments.limit)
    return 0
