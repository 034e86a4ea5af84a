"""hdp-hw run: whole inferences on the co-processor, of a model or of what hdp-hw compile wrote.

See hdp_hw.study.encoder.run and hdp_hw.study.encoder.compiled.
"""

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hdp_hw.commands.arguments import (
    add_config,
    add_inferences,
    add_model,
    add_output,
    integer,
    progress,
    workplace_of,
)
from hdp_hw.spec.params import ParameterError

if TYPE_CHECKING:
    from hdp_hw.driver.backend import Backend
    from hdp_hw.driver.bus_backend import BusBackend
    from hdp_hw.spec.params import HdpParams
    from hdp_hw.study.models import Model

NAME, HELP = "run", "inferences of a model on the co-processor, linear layers included: answers, cycles, bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads; with ENCODER=1; none with a folder of hdp-hw compile")
    text = "run this text, or the next one too; of a folder of hdp-hw compile"
    parser.add_argument("--text", metavar="TEXT", action="append", help=text)
    text = "count no clock cycles, which takes most of the emulator's time; of a folder of hdp-hw compile"
    parser.add_argument("--no-cycles", action="store_true", help=text)
    text = "emulator: the golden model and its clock cycles (default); simulation: the Verilog, by Verilator"
    parser.add_argument("--backend", choices=("emulator", "simulation"), default="emulator", help=text)
    parser.add_argument(
        "--inferences", metavar="N", type=integer(1), default=1, help="of the longest examples (default: 1)"
    )
    add_inferences(parser, "for calibration and inferences")
    add_output(parser, NAME)
    parser.set_defaults(threads=1)


def run(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from hdp_hw.study.encoder.folder import is_folder

    if is_folder(arguments.model):
        return run_compiled(arguments)
    if arguments.text or arguments.no_cycles:
        name, value = ("--text", arguments.text[0]) if arguments.text else ("--no-cycles", True)
        raise ParameterError(name, value, f"with a folder of hdp-hw compile, which {arguments.model} is not")
    return run_whole(arguments)


def run_whole(arguments: argparse.Namespace) -> int:
    """Calibrate a model and run it job by job."""
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


def run_compiled(arguments: argparse.Namespace) -> int:
    """Run what hdp-hw compile wrote."""
    from hdp_hw.study.accuracy.profile import write_json
    from hdp_hw.study.encoder.compiled import run_folder
    from hdp_hw.study.encoder.folder import read_folder
    from hdp_hw.study.tasks import load_task

    for name in ("config", "settings"):
        if (value := getattr(arguments, name)) is not None:
            raise ParameterError(name, value, "nothing with a folder of hdp-hw compile, which has its own")
    folder, latency = read_folder(arguments.model), arguments.latency
    limit = min(arguments.max_tokens or folder.image.header["max_tokens"], folder.image.header["max_tokens"])

    def inputs(model: "Model") -> list[Any]:
        if arguments.text and model.encoder.layout.images:
            raise ParameterError("--text", arguments.text[0], f"none: {model.name} takes images, of --data FILE")
        if arguments.text:
            return model.read(arguments.text, limit)
        task = load_task(arguments.data, model, limit, arguments.examples, arguments.seed, arguments.columns)
        return sorted(task.inputs, key=model.encoder.seq_len, reverse=True)[: arguments.inferences]

    def simulation(params: "HdpParams", n_bytes: int) -> "BusBackend":
        from hdp_hw.simulation import MemoryTiming, Simulation

        return Simulation(params, timing=MemoryTiming(latency, latency), size=n_bytes)

    backend_of = simulation if arguments.backend == "simulation" else None
    how = latency, not arguments.no_cycles, arguments.mhz
    result = run_folder(folder, backend_of, arguments.backend, inputs, *how, progress)
    path = write_json(result, arguments.output, f"{folder.about['model']}-compiled")
    print(result.text())
    print(path)
    return 0
