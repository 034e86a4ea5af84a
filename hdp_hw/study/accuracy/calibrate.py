"""Settings of a model that some examples find, others accept, and those that neither saw judge."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hdp_hw.driver.layer import Bounds, LayerSettings, load_layers
from hdp_hw.spec.configs import CONFIGS, load_config, vars_of
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.spec.text_file import read_json, read_toml
from hdp_hw.study.accuracy.bound import CONFIDENCE, RANKED, examples_for, of_classes
from hdp_hw.study.accuracy.parts import ENOUGH, LEAST, Parts, digests, split, unseen
from hdp_hw.study.accuracy.search import Say, Trial, accept, measure, path
from hdp_hw.study.models import load_model
from hdp_hw.study.tasks import Task, load_task


@dataclass(frozen=True, eq=False)
class Workplace:
    """A model on a task, fitted, and the core that is to run it.

    seed : of what is drawn at random; layers : LayerSettings of each layer of a settings file, None without one.
    """

    task: Task
    label: str
    params: HdpParams
    seed: int = 0
    layers: list[LayerSettings] | None = None


@dataclass(frozen=True, eq=False)
class Calibration:
    """Settings and how they came about.

    accepted : Trial on the validation part; judged : on what was held back, None where nothing was.
    """

    place: Workplace
    parts: Parts
    max_loss: float
    confidence: float
    accepted: Trial
    judged: Trial | None

    def promise(self) -> str:
        """A sentence: what the settings hold, with which confidence, and over which examples."""
        n, bound = self.accepted.comparison.n, self.accepted.bound
        if not np.isfinite(bound):
            return (
                f"{n} examples of validation are too few to bound the loss ({RANKED} are enough): all layers are dense."
            )
        task, n_all = self.parts.validation, len(self.place.task.labels)
        of = f"With {100 * self.confidence:g}% confidence, the loss over examples like these {n_all}"
        allowed = f"{100 * self.max_loss:g} point{'s' if self.max_loss != 0.01 else ''}"
        if bound <= self.max_loss:
            return (
                f"{of} is at most the allowed {allowed}; its upper bound on the validation part is {100 * bound:.2f}."
            )
        what = f"{of} is at most {100 * bound:.2f} points; allowed: {allowed}. No pruning is accepted, all is dense."
        if self.max_loss and of_classes(task):
            enough = examples_for(self.max_loss, self.confidence)
            if n < enough:
                what += f" {n} examples of validation cannot show less; it takes {enough} where no label flips."
        return what

    def outcome(self) -> str:
        """A sentence: the loss on examples that neither search nor validation saw."""
        return outcome(self.judged, len(self.place.task.labels))

    def layers(self) -> dict[str, LayerSettings]:
        """The layers by name, each with the bounds of what it did in validation, for the monitor."""
        pairs = enumerate(zip(self.accepted.layers, self.accepted.counts))
        return {str(i): replace(layer, name=str(i), bounds=Bounds.of(counts)) for i, (layer, counts) in pairs}

    def about(self) -> dict:
        """What a settings file says of itself."""
        task, counts = self.place.task, (self.judged or self.accepted).counts
        return {
            "model": task.model.name,
            "data": task.name,
            "examples": task.describe(),
            "metric": task.metric_name,
            "parameters": vars_of(self.place.params),
            "max_loss": self.max_loss,
            "promise": self.promise(),
            "outcome": self.outcome(),
            "seed": self.place.seed,
            "search_examples": len(self.parts.search.labels),
            "validation": {**self.accepted.facts(), "confidence": self.confidence},
            "held_back": self.judged.facts() if self.judged else {"n": 0},
            "expected_kept_shares": [sum(x.kept_share for x in of_layer) / len(of_layer) for of_layer in counts],
            "seen": " ".join(self.parts.seen),
        }


def outcome(judged: Trial | None, n: int) -> str:
    """A sentence on a Trial on unseen examples, None where ``n`` examples were too few to hold any back."""
    if judged is None:
        return (
            f"Loss on unseen examples: not measured; {n} examples are too few to hold any back ({ENOUGH} are enough)."
        )
    loss, error = (100 * value for value in (judged.comparison.loss, judged.comparison.stderr))
    seen = f"On {judged.comparison.n} examples that neither search nor validation saw"
    return f"{seen}: {loss:.2f} +- {error:.2f} points lost."


def open_workplace(
    model: str,
    data: str | None,
    config: str | None = None,
    overrides: Iterable[tuple[str, str]] = (),
    max_tokens: int | None = None,
    limit: int | None = None,
    jobs: int = 1,
    say: Say = print,
    seed: int = 0,
    columns: str | None = None,
    settings: str | None = None,
) -> Workplace:
    """Workplace of a model and a file of examples by their names.

    config : by default the first named configuration that takes the model's heads. Texts are cut to ``max_tokens`` and
    to what the core takes; ``limit`` : so many, at random; ``columns`` : as :func:`load_task` has them; ``settings`` :
    a settings file of this model. Raises ModelError, TaskError, ParameterError, FileError, OSError.
    """
    model = load_model(model)
    layers = layers_of(settings, model.encoder.n_layers) if settings else None  # before all that takes time
    fitting = [name for name, params in CONFIGS.items() if params.max_head_dim >= model.encoder.head_dim]
    label, params = load_config(config or (fitting or list(CONFIGS))[0], overrides)
    task = load_task(data, model, min(max_tokens or params.max_seq_len, params.max_seq_len), limit, seed, columns)
    longest = max(map(model.encoder.seq_len, task.inputs))
    if longest > params.max_seq_len:
        raise ParameterError("max_seq_len", params.max_seq_len, f"at least the {longest} positions of an input")
    if len(set(digests(task))) < LEAST:
        raise ParameterError("data", f"{len(task.labels)} examples", f"at least {LEAST} different ones")
    say(task.describe())
    say(f"{task.model.name} on {label}: {len(task.inputs)} inputs without pruning")
    return Workplace(task.fit(model.run(task.inputs, jobs=jobs)), label, params, seed, layers)


def calibrate(
    place: Workplace,
    max_loss: float,
    rules: Sequence[Rule],
    n_sample: int,
    steps: int,
    jobs: int,
    say: Say,
    confidence: float = CONFIDENCE,
) -> Calibration:
    """The Calibration of a Workplace: the most that is saved while the bound of the loss is ``max_loss`` or less."""
    parts = split(place.task, place.seed)
    counts = [len(part.labels) if part else 0 for part in (parts.search, parts.validation, parts.held_back)]
    say("examples: {} to search with, {} to validate, {} held back".format(*counts))
    trials = (
        measure(parts.validation, layers, place.params, jobs, confidence, say)
        for layers in path(parts.search, place.params, rules, n_sample, steps, say)
    )
    accepted = accept(trials, max_loss, steps, say)
    judged = judge(parts.held_back, accepted.layers, place.params, jobs, say, confidence) if parts.held_back else None
    return Calibration(place, parts, max_loss, confidence, accepted, judged)


def judge(
    task: Task, layers: Sequence[LayerSettings], params: HdpParams, jobs: int, say: Say, confidence: float = CONFIDENCE
) -> Trial:
    """Trial of LayerSettings on examples that nothing was chosen by."""
    start = time.monotonic()
    trial = measure(task, layers, params, jobs, confidence, say)
    say(f"judged on {len(task.labels)} examples: {time.monotonic() - start:.1f} seconds")
    return trial


def unseen_of(settings: str | Path, task: Task) -> tuple[Task, str]:
    """The examples that a settings file's calibration did not see, and a sentence on how that is known.

    All of them, where it saw them all or the file does not say. Raises FileError, OSError.
    """
    settings, n = Path(settings), len(task.labels)
    content = read_toml(settings) if settings.suffix == ".toml" else read_json(settings)
    about = content.get("about")
    seen = str(about.get("seen", "")).split() if isinstance(about, dict) else []
    others = unseen(task, seen)
    if not seen:
        return task, f"{settings} does not say which examples it was calibrated on; these {n} may be among them."
    if others is None:
        return task, f"Calibration of {settings} saw these {n} examples: on others, more may be lost."
    if len(others.labels) == n:
        return task, f"Calibration of {settings} saw none of these {n} examples."
    left = len(others.labels)
    return others, f"Calibration of {settings} saw {n - left} of the {n} examples; this is of the {left} others."


def layers_of(path: str | Path, n_layers: int) -> list[LayerSettings]:
    """LayerSettings of each layer from a settings file. Raises ParameterError, FileError, OSError."""
    layers = load_layers(path)
    if missing := [str(index) for index in range(n_layers) if str(index) not in layers]:
        raise ParameterError("settings", str(path), f"a file with the layers {', '.join(missing)} too")
    if more := [name for name in layers if name not in map(str, range(n_layers))]:
        raise ParameterError("settings", str(path), f"a file of this model, without the layers {', '.join(more)}")
    return [layers[str(index)] for index in range(n_layers)]
