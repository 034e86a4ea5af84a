"""The comparison itself: points to processes, results to the cache, records to files."""

from dataclasses import replace

from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.output_file import write
from hdp_hw.study.bench.records import aligned
from hdp_hw.study.compare.findings import BUDGETS, chosen, findings
from hdp_hw.study.compare.records import Record, write_records
from hdp_hw.study.compare.report import ranking, report
from hdp_hw.study.compare.sweep import JUDGED, SEARCH, points, thinned
from hdp_hw.study.compare.worker import evaluate, prepare
from hdp_hw.study.models import ModelError
from hdp_hw.study.sweep import Results, SweepError, digest_of_job, run
from hdp_hw.study.tasks import TaskError


def compare(job, folder, only=(), every=1, jobs=1, scheduler=None, command="", say=print):
    """Evaluate the points of the sweep that ``folder`` does not hold yet, judge the best, write the comparison's files.

    The sweep is on examples to choose by. The settings that each curve is best with, within each budget, are judged on
    others. only : parts of names of curves, to which the sweep is restricted; every : of each curve, every so many-th
    setting is tried; jobs : processes on this machine; scheduler : address of a Dask scheduler, whose workers are used
    in their place. Each of them must find the model and the data under the names that ``job`` has. Returns the records.
    Raises SweepError.
    """
    try:
        prepared = prepare(job)
    except (ModelError, TaskError) as error:
        raise SweepError(error) from None
    swept = points(job.settings, first_only=bool(prepared.task.model.encoder.n_labels))
    swept = thinned([point for point in swept if not only or any(part in point.curve for part in only)], every)
    if not swept:
        raise SweepError(f"no curve has any of {', '.join(only)} in its name")
    task = prepared.task
    name, stem = task.name, f"{task.model.name}-{task.name}"
    sizes = {part: len(each.dense) for part, each in prepared.parts.items()}
    if min(sizes.values()) < 2:
        least = "a standard error takes at least 2 to choose by, and as many to judge by"
        raise SweepError(f"{sizes[SEARCH]} and {sizes[JUDGED]} examples to measure; {least}")
    say(task.describe())
    cache, failures = Results(folder / f"{stem}.jsonl", digest(job)), []

    def describe(point, result):
        return Record.of(point, result, prepared)

    def records_of(wanted):
        missing = [point for point in wanted if cache.get(point) is None]
        for part in {point.part for point in wanted}:
            say(f"{name}: {sizes[part]} examples, {part}; {len(missing)} of {len(wanted)} points to evaluate")
        failures.extend(run(evaluate, job, missing, cache, describe, jobs, scheduler, say))
        return [describe(point, cache.get(point)) for point in wanted if cache.get(point) is not None]

    found = records_of(swept)
    if not found:
        raise SweepError(f"every point failed, the first with: {failures[0]}")
    best = {record.key for budget in BUDGETS for record in chosen(found, budget).values()}
    judged = [replace(point, part=JUDGED) for point in swept if (point.curve, *point.parameters) in best]
    records = found + records_of(judged)
    write_records(records, folder / stem)
    titles, rows = ranking(records)
    say(aligned([titles, *(list(map(str, row)) for row in rows)]))
    for sentence in findings(records):
        say(sentence)
    try:
        write(folder / f"{stem}.html", report(records, job, prepared, command))
        say(f"{folder / stem}.html, .json, .csv")
    except MissingPackage as error:
        say(f"{folder / stem}.json, .csv; no page: {error}")
    say(task.describe())
    if failures:
        raise SweepError(f"{len(failures)} points failed, the first with: {failures[0]}")
    return records


def digest(job):
    """Of data, model, numbers of examples, array, and the sources that compute a result."""
    return digest_of_job(job, filter(None, (job.data, job.settings, job.calibration)), job.model)
