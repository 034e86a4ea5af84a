"""hdp-hw run: whole inferences on the co-processor, see hdp_hw.study.encoder.run."""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from hdp_hw.commands.arguments import (
    add_config,
    add_latency,
    add_model,
    add_output,
    integer,
    number,
    progress,
    workplace_of,
)

if TYPE_CHECKING:
    from hdp_hw.driver.backend import Backend
    from hdp_hw.spec.params import HdpParams

NAME, HELP = "run", "inferences of a model on the co-processor, linear layers included: answers, cycles, bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads; with ENCODER=1")
    text = "emulator: the golden model and its clock cycles (default); simulation: the Verilog, by Verilator"
    parser.add_argument("--backend", choices=("emulator", "simulation"), default="emulator", help=text)
    parser.add_argument(
        "--inferences", metavar="N", type=integer(1), default=1, help="of the longest examples (default: 1)"
    )
    text = "random examples to read, for calibration and inferences (default: 300)"
    parser.add_argument("--examples", metavar="N", type=integer(4), default=300, help=text)
    text = "examples to calibrate with, at most (default: 128)"
    parser.add_argument("--sample", metavar="N", type=integer(1), default=128, help=text)
    parser.add_argument("--settings", metavar="FILE", help="of hdp-hw calibrate: prune (default: all dense)")
    text = "of what is drawn at random (default: 0)"
    parser.add_argument("--seed", metavar="SEED", type=integer(0), default=0, help=text)
    parser.add_argument(
        "--mhz", metavar="F", type=number(0.001, 10_000), default=100.0, help="of the clock (default: 100)"
    )
    add_latency(parser)
    add_output(parser, NAME)
    parser.set_defaults(threads=1)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from hdp_hw.driver import Emulator
    from hdp_hw.study.accuracy.profile import write_json
    from hdp_hw.study.encoder.run import run_model

    def backend_of(params: "HdpParams") -> "Backend":
        latency = arguments.latency
        if arguments.backend == "emulator":
            return Emulator(params, latency, latency)
        from hdp_hw.simulation import MemoryTiming, Simulation

        return Simulation(params, timing=MemoryTiming(latency, latency))

    place = workplace_of(arguments, arguments.settings)
    place = replace(place, params=replace(place.params, encoder=1))
    print(place.task.describe(), flush=True)
    sizes = arguments.inferences, arguments.sample, arguments.mhz
    result = run_model(place, backend_of, arguments.backend, *sizes, progress)
    path = write_json(result, arguments.output, f"{place.task.model.name}-{place.task.name}")
    print(result.text())
    print(path)
    return 0
