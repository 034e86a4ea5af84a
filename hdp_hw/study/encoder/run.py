"""hdp-hw run: a model's inferences on the co-processor, its linear layers included."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hdp_hw.driver.backend import Backend
from hdp_hw.driver.driver import MODES
from hdp_hw.driver.errors import Mismatch
from hdp_hw.encoder import Coprocessor
from hdp_hw.encoder.coprocessor import KINDS
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.bench.records import aligned
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.statistics import cosines

HOST = "Embeddings, normalisation and what follows the last layer ran on the host; no cycle is counted for them."


@dataclass(frozen=True, eq=False)
class Inference:
    """One input through the co-processor.

    positions : of the input; answer, of_floats : class, number, or None of an embedding; cosine : of the output with
    that of floats; jobs, counters : ``{kind of job: how many, and sums of their counters}``; seconds : that it took.
    """

    positions: int
    answer: Any
    of_floats: Any
    cosine: float
    jobs: dict[str, int]
    counters: dict[str, dict[str, int]]
    seconds: float


@dataclass(frozen=True, eq=False)
class ModelRun:
    """Inferences of a model. backend : what ran them; mhz : the clock that times are told for."""

    place: Workplace
    backend: str
    mhz: float
    inferences: list[Inference]

    def text(self) -> str:
        """A line for each inference, a table of kinds of jobs, and what is not in it."""
        lines = [f"{each.positions} positions: {_said(each)}" for each in self.inferences]
        rows = [["jobs of", "number", "clock cycles", "array busy", "bytes read", "bytes written"]]
        rows += [self._row(kind, [kind]) for kind in KINDS] + [self._row("all", KINDS)]
        lines += ["", f"A mean inference on {self.place.label}, {self.place.params.n_cores} cores, {self.backend}:"]
        lines.append(aligned(rows))
        cycles = self._mean("cycles", KINDS)
        lines += ["", f"At {self.mhz:g} MHz that is {cycles / self.mhz / 1e3:.1f} ms. {HOST}"]
        return "\n".join([*lines, "Every bit is that of the golden model."])

    def facts(self) -> dict[str, Any]:
        """What the JSON file holds."""
        task = self.place.task
        about = {"model": task.model.name, "data": task.name, "config": self.place.label, "backend": self.backend}
        return {**about, "params": vars(self.place.params), "inferences": [vars(each) for each in self.inferences]}

    def _row(self, title: str, kinds: Any) -> list[str]:
        params = self.place.params
        busy = sum(self._mean(f"busy_{mode}", kinds) for mode in MODES)
        cycles = self._mean("cycles", kinds)
        share = f"{busy / params.n_cores / cycles:.1%}" if cycles else "-"
        jobs = sum(each.jobs[kind] for each in self.inferences for kind in kinds) / len(self.inferences)
        counts = [f"{self._mean(name, kinds):.0f}" for name in ("bytes_read", "bytes_written")]
        return [title, f"{jobs:g}", f"{cycles:.0f}", share, *counts]

    def _mean(self, counter: str, kinds: Any) -> float:
        each = [inference.counters[kind][counter] for inference in self.inferences for kind in kinds]
        return sum(each) / len(self.inferences)


def run_model(
    place: Workplace,
    backend_of: Callable[[HdpParams], Backend],
    backend: str,
    n: int,
    n_sample: int,
    mhz: float,
    say: Callable[[str], None],
) -> ModelRun:
    """ModelRun of the ``n`` longest inputs of those that calibration, on ``n_sample`` others at most, does not see.

    Raises ParameterError, HdpError, and Mismatch where a bit is not that of the golden model.
    """
    inputs, task = separate(place.task, n_sample, place.seed)
    encoder = task.model.encoder
    say(f"calibration: {len(inputs)} inputs")
    model = calibrate(encoder, inputs, place.layers).model
    on_backend = backend_of(place.params)
    golden, inferences = IntegerEncoder(encoder, model, place.params), []
    chosen = sorted(task.inputs, key=encoder.seq_len, reverse=True)[:n]
    for number, example in enumerate(chosen, 1):
        say(f"inference {number} of {len(chosen)}: {encoder.seq_len(example)} positions")
        coprocessor, start = Coprocessor(on_backend), time.monotonic()
        hidden = IntegerEncoder(encoder, model, place.params, coprocessor=coprocessor)(example)
        seconds = time.monotonic() - start
        if not np.array_equal(hidden, golden(example)):
            raise Mismatch(f"inference {number}: hidden states differ from those of the golden model")
        outputs = [task.model.outputs(each) for each in (hidden, encoder(example))]
        answers = [answer_of(task.model.labels, each) for each in outputs]
        counters = {kind: dict(coprocessor.counters[kind]) for kind in KINDS}
        cosine = float(cosines(*(each.ravel() for each in outputs)))
        facts = encoder.seq_len(example), *answers, cosine, dict(coprocessor.jobs), counters, seconds
        inferences.append(Inference(*facts))
    return ModelRun(replace(place, task=task), backend, mhz, inferences)


def answer_of(labels: tuple[str, ...], output: np.ndarray) -> Any:
    """The class of an output, a regression's number, or None of an embedding."""
    if not labels:
        return None
    return labels[int(output.argmax())] if len(labels) > 1 else round(float(output.ravel()[0]), 4)


def _said(inference: Inference) -> str:
    cosine = f"cosine with floats {inference.cosine:.4f}"
    if inference.answer is None:
        return f"embedding, {cosine}"
    return f"{inference.answer} (floats: {inference.of_floats}), {cosine}"
