"""One point of a comparison, in whichever process: each prepares a job once, then evaluates its points."""

import time
from dataclasses import dataclass
from functools import cache

import numpy as np

from hdp_hw.golden.bits.array.tile_array import integer_scores
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.calibrate import layers_of, unseen_of
from hdp_hw.study.accuracy.parts import digests, unseen
from hdp_hw.study.capture import calibrate, record
from hdp_hw.study.compare.calibrated import CalibratedHdp
from hdp_hw.study.compare.sweep import JUDGED, SEARCH
from hdp_hw.study.models import load_model
from hdp_hw.study.peers import METHODS
from hdp_hw.study.tasks import Task, TaskError, draw, load_task

CALIBRATION_INPUTS = 64  #: random ones, at most, for scales and head thresholds
SEED = 0  #: of the choice of examples


@dataclass(frozen=True)
class Job:
    """What all points of a comparison share: a model and a file of examples, as every process finds them.

    data : the file, None for examples that are built in; max_tokens : texts are cut to these; examples : that settings
    are judged by, at most; search : that they are chosen by, at most; timed_inputs : inputs whose clock cycles are
    predicted; params : of the array; settings : a settings file of HDP for this model, if any; columns : of the files,
    as :func:`load_task` has them; calibration : a file of examples to choose by, without which half of ``data`` is.
    """

    model: str
    data: str | None
    max_tokens: int
    examples: int
    search: int
    timed_inputs: int
    params: HdpParams
    settings: str | None = None
    columns: str | None = None
    calibration: str | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the examples. task : fitted; dense : predictions without pruning."""

    task: Task
    dense: np.ndarray

    @classmethod
    def of(cls, task):
        """Of a Task, which the outputs without pruning fit where none have."""
        task = fitted(task) if task.dense is None else task
        return cls(task, task.predict(task.dense))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job once the model is loaded.

    parts : ``{SEARCH: Part, JUDGED: Part}``, no example in both; unseen : a sentence on whether the settings file was
    calibrated on what is judged by; scales : float64 [n_layers, 3], of Q, K and V; importances : mean |A| of the heads
    of the calibration inputs.
    """

    parts: dict
    unseen: str
    scales: np.ndarray
    importances: np.ndarray

    @property
    def task(self):
        """Task of the examples that settings are judged by."""
        return self.parts[JUDGED].task


@cache
def prepare(job):
    """Prepared of a Job.

    Examples to choose by are those of ``calibration``, or half of the data; or, where the settings file was calibrated
    on some of these, those. Raises ModelError, TaskError, FileError, OSError.
    """
    model = load_model(job.model)
    if job.settings:
        layers_of(job.settings, model.encoder.n_layers)  # which says what is wrong with the file before all else
    task = load_task(job.data, model, job.max_tokens, columns=job.columns)
    if task.fits_on_all:
        task = fitted(task)
    search, judged, sentence = _parts(job, task)
    chosen = draw(len(search.inputs), CALIBRATION_INPUTS, SEED)
    records = [record(model.encoder, search.inputs[index]) for index in chosen]
    scales = calibrate(records)
    parts = {SEARCH: Part.of(search.sample(job.search, SEED)), JUDGED: Part.of(judged.sample(job.examples, SEED))}
    return Prepared(parts, sentence, scales, importances(records, scales, job.params))


def fitted(task):
    """A Task with the outputs of its model without pruning."""
    return task.fit(task.model.run(task.inputs))


def _parts(job, task):
    """``(task to choose by, task to judge by, sentence on what the settings file was calibrated on)``."""
    others, sentence = unseen_of(job.settings, task) if job.settings else (task, "")
    if job.calibration:
        search = load_task(job.calibration, task.model, job.max_tokens, job.search, SEED, job.columns)
        judged = unseen(others, digests(search))
        if judged is None:
            raise TaskError(f"{job.calibration} holds all examples of {task.name}; legal: others")
        return (fitted(search) if search.fits_on_all else search), judged, sentence
    if len(others.labels) < len(task.labels):
        return unseen(task, digests(others)) or task.split()[0], others, sentence
    return *task.split(), sentence


def importances(records, scales, params):
    """Mean |A| of every head of the ``records`` of inputs, [n_inputs * n_layers * n_heads]."""
    means = []
    for layers in records:
        for (q, k, _), (q_absmax, k_absmax, _) in zip(layers, scales):
            a = integer_scores(quantize(q, q_absmax, params), quantize(k, k_absmax, params), params.digit_width)
            means.append(np.abs(a).mean((1, 2)))
    return np.concatenate(means)


def method_of(point, prepared, params):
    """The Method of a Point."""
    parameters = dict(point.parameters)
    if "settings" in parameters:
        return CalibratedHdp(params, layers_of(parameters["settings"], prepared.task.model.encoder.n_layers))
    if point.method in ("hdp", "leaving"):
        share = parameters.pop("heads", 0)
        parameters |= {
            "scales": prepared.scales,
            "tau_head": float(np.quantile(prepared.importances, share)) if share else 0.0,
        }
    if point.method in ("hdp", "leaving", "oracle", "spatten"):
        parameters["params"] = params
    return METHODS[point.method](**parameters)


def evaluate(job, point):
    """``{"predictions": of each example, "work": counts, "seconds": taken}`` of a Point."""
    prepared, start = prepare(job), time.perf_counter()
    method = method_of(point, prepared, job.params)
    method.timed_texts = job.timed_inputs
    task = prepared.parts[point.part].task
    predictions = task.predict(task.model.run(task.inputs, method))
    seconds = time.perf_counter() - start
    return {"predictions": predictions.tolist(), "work": method.work.to_lists(), "seconds": round(seconds, 2)}
