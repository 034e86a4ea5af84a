"""hdp-hw run: inferences of a compiled model."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.driver.errors import Mismatch
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.compiled import KINDS, Emulated, cycle_table, image_of, write_image
from hdp_hw.study.encoder.folder import read_folder
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.models import Model
from hdp_hw.study.statistics import cosines

#: Inputs of a Model, of so many tokens at most, of some examples or, where there are none, of those that it finds.
Choose = Callable[[Model, int, Sequence[Any] | None], list[Any]]


@dataclass(frozen=True, eq=False)
class Reference:
    """A model that is compiled for a run. data : its name; inputs : to run; floats, golden : in floats and integers."""

    data: str
    inputs: list[Any]
    floats: Model
    golden: IntegerEncoder


@dataclass(frozen=True, eq=False)
class Inference:
    """What an input gave.

    tokens : of the input; answer, of_floats : class, number, or None of an embedding; cosine : of the output with that
    of floats. The last two are None where there are no floats.
    """

    tokens: int
    answer: Any
    output: list[float]
    of_floats: Any = None
    cosine: float | None = None

    def text(self) -> str:
        """A line."""
        answer = "embedding" if self.answer is None else f"{self.answer}"
        floats = f" (floats: {self.of_floats})" if self.of_floats is not None else ""
        cosine = f", cosine with floats {self.cosine:.4f}" if self.cosine is not None else ""
        return f"{self.tokens} tokens: {answer}{floats}{cosine}"


@dataclass(frozen=True, eq=False)
class ModelRun:
    """Inferences of a compiled model. backend : what ran them; mhz : the clock that times are told for."""

    model: str
    backend: str
    params: HdpParams
    mhz: float
    inferences: list[Inference]
    kinds: dict[str, list[dict[str, int]]]
    seconds: float

    def text(self) -> str:
        """A line for each input, and a table of kinds of jobs."""
        n = len(self.inferences)
        cycles = sum(counters["cycles"] for jobs in self.kinds.values() for counters in jobs)
        lines = [each.text() for each in self.inferences]
        lines += ["", f"{n} {'inferences' if n > 1 else 'inference'}, {self.backend}, took {self.seconds:.1f} seconds."]
        if cycles:
            lines += [cycle_table(self.kinds, self.params), ""]
            lines.append(f"At {self.mhz:g} MHz an inference takes {cycles / n / self.mhz / 1e3:.2f} ms.")
        return "\n".join(lines)

    def facts(self) -> dict[str, Any]:
        """What the JSON file holds."""
        inferences = [vars(each) for each in self.inferences]
        return {**vars(self), "params": vars(self.params), "inferences": inferences}


def compile_for(
    place: Workplace, name: str, folder: Path, choose: Choose, n_sample: int, say: Callable[[str], None]
) -> Reference:
    """Compile a Workplace's model, which the command line calls ``name``, for the inputs of a run, into ``folder``.

    choose : of the examples that calibration, on ``n_sample`` others at most, does not see. Raises ParameterError,
    which says what would take the model, and OSError.
    """
    seen, task = separate(place.task, n_sample, place.seed)
    encoder, inputs = task.model.encoder, choose(task.model, place.params.max_seq_len, task.inputs)
    say(f"calibration: {len(seen)} inputs")
    model = calibrate(encoder, seen, place.layers).model
    image = image_of(place, model, [encoder.seq_len(each) for each in inputs])
    write_image(folder, place, name, model, image)
    return Reference(task.name, inputs, task.model, IntegerEncoder(encoder, model, place.params))


def run_folder(
    path: Path,
    backend_of: Callable[[HdpParams, int], BusBackend] | None,
    backend: str,
    choose: Choose,
    latency: int,
    timed: bool,
    mhz: float,
    say: Callable[[str], None],
    reference: Reference | None = None,
) -> ModelRun:
    """ModelRun of inputs on the emulator and, unless it is None, on another back end, whose bits are compared.

    backend_of : ``f(params, bytes of memory)``; timed : clock cycles are counted, and those of the other back end
    compared; reference : of the model that was compiled to ``path``, if that is at hand. Raises HdpError, FileError,
    OSError, and Mismatch.
    """
    folder = read_folder(path)
    emulated = Emulated(folder.image, latency, timed)
    model, others = folder.model(emulated.compiled), [reference.golden] if reference else []
    inputs = reference.inputs if reference else choose(model, folder.image.header["max_tokens"], None)
    kinds, inferences, on_other = {kind: [] for kind in KINDS}, [], None
    if backend_of:
        say(f"{backend}: loading the image")
        on_other = CompiledModel(folder.image, backend_of(folder.image.params, folder.image.header["memory_bytes"]))
        others.append(folder.model(on_other).encoder)
    start = time.monotonic()
    for number, example in enumerate(inputs, 1):
        n = model.encoder.seq_len(example)
        say(f"inference {number} of {len(inputs)}: {n} tokens")
        hidden = model.encoder(example)
        if any(not np.array_equal(other(example), hidden) for other in others):
            raise Mismatch(f"inference {number}: hidden states differ from those of the golden model")
        if on_other and timed and (cycles := on_other.counters["cycles"]) != emulated.compiled.counters["cycles"]:
            predicted = emulated.compiled.counters["cycles"]
            raise Mismatch(f"inference {number}: it took {cycles} clock cycles, the cycle model has {predicted}")
        for kind, jobs in emulated.kinds.items():
            kinds[kind] += jobs
        inferences.append(inference_of(model, example, hidden, reference and reference.floats))
    facts = folder.about["model"], backend, folder.image.params, mhz
    return ModelRun(*facts, inferences, kinds, time.monotonic() - start)


def inference_of(model: Model, example: Any, hidden: np.ndarray, floats: Model | None) -> Inference:
    """Inference of an input, by its hidden states."""
    n, output = model.encoder.seq_len(example), model.outputs(hidden)
    facts = n, answer_of(model, output), output.ravel().tolist()
    if not floats:
        return Inference(*facts)
    of_floats = floats.outputs(floats.encoder(example))
    return Inference(*facts, answer_of(model, of_floats), float(cosines(output.ravel(), of_floats.ravel())))


def answer_of(model: Model, output: np.ndarray) -> Any:
    """The class of an output, a regression's number, or None of an embedding."""
    if not model.labels:
        return None
    return model.labels[int(output.argmax())] if len(model.labels) > 1 else round(float(output.ravel()[0]), 4)
