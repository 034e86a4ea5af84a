"""hdp-hw run: whole inferences on the co-processor, of a model or of what hdp-hw compile wrote.

See hdp_hw.study.encoder.run.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
    from hdp_hw.driver.bus_backend import BusBackend
    from hdp_hw.spec.params import HdpParams
    from hdp_hw.study.encoder.run import Choose, Reference
    from hdp_hw.study.models import Model

NAME, HELP = "run", "inferences of a model on the co-processor, from embeddings to hidden states: answers, cycles, bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser, "core")
    add_config(parser, help="the first that takes the heads; with ENCODER=1; none with a folder of hdp-hw compile")
    parser.add_argument("--text", metavar="TEXT", action="append", help="run this text, or the next one too")
    text = "count no clock cycles, which takes most of the emulator's time"
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
    from hdp_hw.study.accuracy.profile import write_json
    from hdp_hw.study.encoder.folder import is_folder
    from hdp_hw.study.encoder.run import run_folder
    from hdp_hw.study.tasks import load_task

    latency = arguments.latency

    def choose(model: "Model", most: int, examples: "Sequence[Any] | None" = None) -> list[Any]:
        limit = min(arguments.max_tokens or most, most)
        if arguments.text and model.encoder.layout.images:
            raise ParameterError("--text", arguments.text[0], f"none: {model.name} takes images, of --data FILE")
        if arguments.text:
            return model.read(arguments.text, limit)
        if examples is None:
            task = load_task(arguments.data, model, limit, arguments.examples, arguments.seed, arguments.columns)
            examples = task.inputs
        return sorted(examples, key=model.encoder.seq_len, reverse=True)[: arguments.inferences]

    def simulation(params: "HdpParams", n_bytes: int) -> "BusBackend":
        from hdp_hw.simulation import MemoryTiming, Simulation

        return Simulation(params, timing=MemoryTiming(latency, latency), size=n_bytes)

    folder, reference = as_it_is(arguments) if is_folder(arguments.model) else compiled(arguments, choose)
    backend_of = simulation if arguments.backend == "simulation" else None
    how = latency, not arguments.no_cycles, arguments.mhz
    result = run_folder(folder, backend_of, arguments.backend, choose, *how, progress, reference)
    path = write_json(result, arguments.output, f"{result.model}-{reference.data if reference else 'compiled'}")
    print(result.text())
    print(path)
    return 0


def as_it_is(arguments: argparse.Namespace) -> tuple[Path, None]:
    """A folder of hdp-hw compile."""
    for name in ("config", "settings"):
        if (value := getattr(arguments, name)) is not None:
            raise ParameterError(name, value, "nothing with a folder of hdp-hw compile, which has its own")
    return Path(arguments.model), None


def compiled(arguments: argparse.Namespace, choose: "Choose") -> "tuple[Path, Reference]":
    """The folder that a model is compiled to, for the inputs that ``choose`` takes."""
    from hdp_hw.study.encoder.run import compile_for

    place = workplace_of(arguments, arguments.settings)
    place = replace(place, params=replace(place.params, encoder=1))
    print(place.task.describe(), flush=True)
    folder = arguments.output / place.task.model.name
    return folder, compile_for(place, arguments.model, folder, choose, arguments.sample, progress)
