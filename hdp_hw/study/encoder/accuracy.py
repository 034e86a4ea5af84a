"""hdp-hw accuracy: a model in integers against the one of floats."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.accuracy.search import Ticks
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.encoder.steps import STEPS, Stepped
from hdp_hw.study.models import Encoder, Model
from hdp_hw.study.statistics import cosines
from hdp_hw.study.tasks import Comparison, Task, compare

COMPARED = 40  #: inputs whose outputs are compared step by step
WHOLE = "all of it: the model in integers"


@dataclass(frozen=True, eq=False)
class Accuracy:
    """What was found.

    task : the examples that it is of, which calibration did not see; n_calibrated : inputs that it saw; lengths :
    fewest and most positions of an input that is compared step by step; steps : ``{what is in integers: cosine of what
    the model makes of each of them with what floats make}``; seconds : for all inputs of the task.
    """

    task: Task
    comparison: Comparison
    n_calibrated: int
    lengths: tuple[int, int]
    steps: dict[str, np.ndarray]
    seconds: float

    def text(self) -> str:
        """A table of steps, and sentences."""
        titles = ["in integers", "mean cosine", "lowest"]
        rows = [[name, f"{values.mean():.4f}", f"{values.min():.4f}"] for name, values in self.steps.items()]
        widths = [max(map(len, column)) for column in zip(titles, *rows)]
        table = [
            f"{name:{widths[0]}}  {mean:>{widths[1]}}  {lowest:>{widths[2]}}" for name, mean, lowest in (titles, *rows)
        ]
        n, (fewest, most) = len(self.steps[WHOLE]), self.lengths
        return "\n".join(
            [
                f"{self.task.metric_name} in integers, of that of floats: {self.comparison}",
                f"On {self.comparison.n} examples; calibration saw {self.n_calibrated} other inputs. "
                f"{len(self.task.inputs)} inputs took {self.seconds:.1f} seconds.",
                "",
                f"Outputs against those of floats, over {n} of the inputs, of {fewest} to {most} positions:",
                *table,
            ]
        )

    def facts(self) -> dict[str, Any]:
        """What the JSON file holds."""
        steps = {name: {"mean": values.mean(), "lowest": values.min()} for name, values in self.steps.items()}
        return {
            "model": self.task.model.name,
            "data": self.task.name,
            "examples": self.task.describe(),
            "metric_name": self.task.metric_name,
            **vars(self.comparison),
            "calibration_inputs": self.n_calibrated,
            "compared_positions": self.lengths,
            "cosines": steps,
            "seconds": self.seconds,
        }


def measure(
    place: Workplace, calibration: Task | None, n_sample: int, jobs: int, say: Callable[[str], None]
) -> Accuracy:
    """Accuracy of a Workplace's model in integers.

    calibration : examples to calibrate with, all of them; without, ``n_sample`` of the Workplace's at most, which are
    then not judged by. Raises ParameterError.
    """
    task, model = place.task, place.task.model
    if calibration is None:
        inputs, task = separate(task, n_sample, place.seed)
    else:
        inputs = calibration.inputs
    say(f"calibration: {len(inputs)} inputs")
    built = calibrate(model.encoder, inputs, place.layers)
    integer = IntegerEncoder(model.encoder, built.model, place.params)
    say(f"in integers: {len(task.inputs)} inputs")
    start = time.monotonic()
    outputs = replace(model, encoder=integer).run(task.inputs, jobs=jobs, progress=Ticks(len(task.inputs), say))
    seconds = time.monotonic() - start
    chosen = np.random.default_rng(place.seed).permutation(len(task.inputs))[:COMPARED]
    compared = [task.inputs[index] for index in chosen]
    encoders = {text: Stepped(model.encoder, built, place.params, {name}) for name, text in STEPS.items()}
    steps = step_costs(model, encoders | {WHOLE: integer}, compared, say)
    lengths = [model.encoder.seq_len(each) for each in compared]
    return Accuracy(task, compare(task, outputs), len(inputs), (min(lengths), max(lengths)), steps, seconds)


def step_costs(
    model: Model, encoders: dict[str, Encoder], inputs: Sequence[Any], say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """``{name: cosine of what each input becomes with what the model's own encoder makes of it}``."""
    exact, costs = features(model, model.encoder, inputs), {}
    for name, encoder in encoders.items():
        say(f"outputs of {len(inputs)} inputs: {name}")
        costs[name] = cosines(features(model, encoder, inputs), exact)
    return costs


def features(model: Model, encoder: Encoder, inputs: Sequence[Any]) -> np.ndarray:
    """Embeddings of inputs, or the hidden states that the classifier reads, [n_inputs, hidden_size]."""
    hidden = [encoder(example) for example in inputs]
    return np.array([each[..., 0, :] if model.encoder.n_labels else model.outputs(each) for each in hidden])
