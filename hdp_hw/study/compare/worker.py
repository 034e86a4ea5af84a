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
from hdp_hw.study.models import load_model
from hdp_hw.study.peers import METHODS
from hdp_hw.study.tasks import Task, draw, load_task

CALIBRATION_INPUTS = 64  #: random ones, at most, for scales and head thresholds
SEED = 0  #: of the choice of examples


@dataclass(frozen=True)
class Job:
    """What all points of a comparison share: a model and a file of examples, as every process finds them.

    data : the file, None for examples that are built in; max_tokens : texts are cut to these; examples : that are
    measured, at most; timed_inputs : inputs whose clock cycles are predicted; params : of the array; settings : a
    settings file of HDP for this model, if any; columns : of the file, as :func:`load_task` has them.
    """

    model: str
    data: str | None
    max_tokens: int
    examples: int
    timed_inputs: int
    params: HdpParams
    settings: str | None = None
    columns: str | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job once the model is loaded.

    task : Task of the examples that are measured, fitted; unseen : a sentence on whether the settings file was
    calibrated on them; dense : predictions without pruning; scales : float64 [n_layers, 3], of Q, K and V;
    importances : mean |A| of the heads of the calibration inputs.
    """

    task: Task
    unseen: str
    dense: np.ndarray
    scales: np.ndarray
    importances: np.ndarray


@cache
def prepare(job):
    """Prepared of a Job.

    Half of the examples are for calibration only; or, where the settings file was calibrated on some of them, those.
    Raises ModelError, TaskError, FileError, OSError.
    """
    model = load_model(job.model)
    if job.settings:
        layers_of(job.settings, model.encoder.n_layers)  # which says what is wrong with the file before all else
    task = load_task(job.data, model, job.max_tokens, columns=job.columns)
    if task.fits_on_all:
        task = task.fit(model.run(task.inputs))
    calibration, measured, sentence = _parts(task, job.settings)
    task = measured.sample(job.examples, SEED)
    if not task.fits_on_all:
        task = task.fit(model.run(task.inputs))
    chosen = draw(len(calibration.inputs), CALIBRATION_INPUTS, SEED)
    records = [record(model.encoder, calibration.inputs[index]) for index in chosen]
    scales = calibrate(records)
    return Prepared(task, sentence, task.predict(task.dense), scales, importances(records, scales, job.params))


def _parts(task, settings):
    """``(task for calibration, task to measure, sentence on what the settings file was calibrated on)``."""
    calibration, measured = task.split()
    if not settings:
        return calibration, measured, ""
    others, sentence = unseen_of(settings, task)
    if len(others.labels) < len(task.labels):
        calibration, measured = unseen(task, digests(others)) or calibration, others
    return calibration, measured, sentence


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
    if point.method == "hdp":
        share = parameters.pop("heads", 0)
        parameters |= {
            "scales": prepared.scales,
            "tau_head": float(np.quantile(prepared.importances, share)) if share else 0.0,
        }
    if point.method in ("hdp", "oracle", "spatten"):
        parameters["params"] = params
    return METHODS[point.method](**parameters)


def evaluate(job, point):
    """``{"predictions": of each example, "work": counts, "seconds": taken}`` of a Point."""
    prepared, start = prepare(job), time.perf_counter()
    method = method_of(point, prepared, job.params)
    method.timed_texts = job.timed_inputs
    task = prepared.task
    predictions = task.predict(task.model.run(task.inputs, method))
    seconds = time.perf_counter() - start
    return {"predictions": predictions.tolist(), "work": method.work.to_lists(), "seconds": round(seconds, 2)}
