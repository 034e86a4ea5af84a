"""hdp-hw explore: from a device and a workload to the co-processors that are worth building."""

from dataclasses import asdict

from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.study.bench.records import aligned
from hdp_hw.study.explore.area import MEASURED, AreaModel, load_records
from hdp_hw.study.explore.page import of_model, page
from hdp_hw.study.explore.records import TITLES, Record, mark_pareto, write_records
from hdp_hw.study.explore.space import points
from hdp_hw.study.explore.synthesis import DESIGNS, measure
from hdp_hw.study.explore.targets import target_of
from hdp_hw.study.explore.worker import evaluate, simulate
from hdp_hw.study.explore.workload import limits
from hdp_hw.study.sweep import Results, SweepError, digest_of_job, run


def explore(job, grid, target, folder, jobs=1, scheduler=None, fill=0.9, check=False, command="", say=print):
    """Predict every co-processor of a grid that may fit the target, and write what was found; returns the records.

    job : worker.Job; grid : of :mod:`hdp_hw.study.explore.space`; target : name of a device; jobs, scheduler : see
    :func:`hdp_hw.study.sweep.executor`; fill : share of the LUTs that may be used; check : synthesise and simulate the
    Pareto points too, which says how far the predictions were off.
    Raises ParameterError, ModelError, TaskError, SynthesisError, SimulatorMissing, BuildError, SweepError.
    """
    device, model = target_of(target), AreaModel.of(load_records())
    legal, refused = points(grid, limits(job.workload.layers))
    records = [Record(values, reason) for values, reason in refused]
    may_fit = []
    for params in legal:
        resources, source = model.area(params)
        reason = _refused(job, params) or model.gap(params) or device.lacks(resources, fill)
        record = Record(vars_of(params), reason, resources, source, fmax_mhz=model.fmax(params))
        records.append(record)
        may_fit += [] if reason else [record]
    results = Results(folder / "points.jsonl", digest(job))
    missing = [params for each in may_fit if results.get(params := HdpParams(**each.values)) is None]
    say(f"{job.workload} on {device.device}: {len(records)} points, {len(refused)} not legal, {len(legal)} legal")
    say(f"{len(may_fit)} may fit; {len(missing)} of them to evaluate")
    failures = run(evaluate, job, missing, results, _describe, jobs, scheduler, say)
    for record in may_fit:
        _complete(record, results, model, device, fill)
    found = mark_pareto(records)
    if not found:
        reasons = "; ".join(dict.fromkeys([*failures, *(record.reason for record in records)]))
        raise SweepError(f"nothing fits {device.device}: {reasons[:500]}")
    checks = [_check(record, job, model, device, fill, say) for record in found if check]
    if check:
        found = mark_pareto(records)
    paths = write_records(records, found, folder)
    say(aligned([TITLES, *(record.cells for record in found)]))
    say(f"{found[0].label}: {of_model(found[0])}")
    for resource, terms, error in model.lines():
        say(f"{resource}: {terms}; {error}")
    _write_page(folder, (records, found, model, checks, job, device, command), say)
    say(f"{folder / 'explore.json'}, and {len(paths)} configurations: make verilog CONFIG={paths[0]}")
    return records


def digest(job):
    """Of all that a point's result depends on, its parameters aside."""
    return digest_of_job(asdict(job), job.workload.files, job.workload.model)


def _refused(job, params):
    """Why a co-processor does not take the workload, or ""."""
    try:
        for layer in job.workload.layers:
            layer.head_settings(params)
    except ParameterError as error:
        return str(error)
    return ""


def _describe(params, result):
    return f"{Record(vars_of(params)).label}: {result['cycles']:,} cycles"


def _complete(record, results, model, device, fill):
    """Result of a point, and its area with its block RAMs."""
    params = HdpParams(**record.values)
    record.result = results.get(params)
    if record.result is None:
        record.reason = "evaluation failed"
        return
    record.resources, record.source = model.area(params, record.result["core_brams"])
    record.reason = device.lacks(record.resources, fill)
    record.share = device.share(record.resources)


def _check(record, job, model, device, fill, say):
    """Simulate and synthesise a record's co-processor, and replace its fitted area by the measured one.

    Returns ``(label, {kind: (predicted, measured)})``.
    """
    params = HdpParams(**record.values)
    made = [measure(design, params, say=say) for design in DESIGNS]
    resources, record.source = AreaModel(made, model.fits).area(params)
    assert record.source == MEASURED
    predicted = {"cycles": record.result["cycles"], **record.resources}
    measured = {"cycles": simulate(job, params), **resources}
    pairs = {kind: (predicted[kind], measured[kind]) for kind in measured}
    say(f"{record.label}: " + ", ".join(f"{kind} {a:,} predicted, {b:,} measured" for kind, (a, b) in pairs.items()))
    record.resources, record.pareto = resources, False
    record.reason, record.share = device.lacks(resources, fill), device.share(resources)
    return record.label, pairs


def _write_page(folder, facts, say):
    try:
        text, figure = page(*facts)
    except MissingPackage as error:
        say(f"no page and no plot: {error}")
        return
    write(folder / "explore.html", text)
    write(folder / "pareto.svg", figure)
    say(f"{folder / 'explore.html'}, {folder / 'pareto.svg'}")
