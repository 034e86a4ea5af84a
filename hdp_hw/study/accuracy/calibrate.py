"""Settings of a model that are found on half of the examples and judged on the other half."""

import time
from dataclasses import dataclass, replace

from hdp_hw.driver.layer import Bounds, load_layers
from hdp_hw.spec.configs import CONFIGS, load_config, vars_of
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.accuracy.search import find, measure
from hdp_hw.study.models import load_model
from hdp_hw.study.tasks import Task, load_task


@dataclass(frozen=True, eq=False)
class Workplace:
    """A model on a task, fitted, in halves to calibrate on and to judge by, and the core that is to run it."""

    calibration: Task
    validation: Task
    label: str
    params: HdpParams


def open_workplace(model, data, config=None, overrides=(), max_tokens=None, limit=None, jobs=1, say=print):
    """Workplace of a model and a file of examples by their names.

    config : by default the first named configuration that takes the model's heads. Texts are cut to ``max_tokens`` and
    to what the core takes; ``limit`` : so many, at random. Raises ModelError, TaskError, ParameterError.
    """
    model = load_model(model)
    fitting = [name for name, params in CONFIGS.items() if params.max_head_dim >= model.encoder.head_dim]
    label, params = load_config(config or (fitting or list(CONFIGS))[0], overrides)
    task = load_task(data, model, min(max_tokens or params.max_seq_len, params.max_seq_len), limit)
    longest = max(map(model.encoder.seq_len, task.inputs))
    if longest > params.max_seq_len:
        raise ParameterError("max_seq_len", params.max_seq_len, f"at least the {longest} positions of an input")
    if len(task.labels) < 4:
        raise ParameterError("data", f"{len(task.labels)} examples", "at least 4, of which half are for calibration")
    say(f"{task.name}: {len(task.labels)} examples on {label}; {len(task.inputs)} inputs without pruning")
    return Workplace(*task.fit(model.run(task.inputs, jobs=jobs)).split(), label, params)


def calibrate(place, max_loss, rules, n_sample, steps, jobs, say):
    """``(Trial on the calibration half, Trial of its settings on the validation half)`` of a Workplace."""
    best = find(place.calibration, place.params, max_loss, rules, n_sample, steps, jobs, say)
    return best, judge(place, best.layers, jobs, say)


def judge(place, layers, jobs, say):
    """Trial of LayerSettings on the validation half."""
    start = time.monotonic()
    trial = measure(place.validation, layers, place.params, jobs)
    say(f"validation on {len(place.validation.labels)} other examples: {time.monotonic() - start:.1f} seconds")
    return trial


def bounded(trial):
    """``{name: LayerSettings}`` of a Trial's layers with the bounds of what they did in it."""
    layers = zip(trial.layers, trial.counts)
    return {str(i): replace(layer, name=str(i), bounds=Bounds.of(counts)) for i, (layer, counts) in enumerate(layers)}


def about(place, max_loss, best, judged):
    """What a settings file says of itself."""
    task = place.calibration
    return {
        "model": task.model.name,
        "data": task.name,
        "metric": task.metric_name,
        "parameters": vars_of(place.params),
        "max_loss": max_loss,
        "calibration": best.facts(),
        "validation": judged.facts(),
        "expected_kept_shares": [sum(x.kept_share for x in counts) / len(counts) for counts in judged.counts],
    }


def layers_of(path, n_layers):
    """LayerSettings of each layer from a settings file. Raises ParameterError, OSError."""
    layers = load_layers(path)
    if missing := [str(index) for index in range(n_layers) if str(index) not in layers]:
        raise ParameterError("settings", str(path), f"a file with the layers {', '.join(missing)} too")
    return [layers[str(index)] for index in range(n_layers)]
