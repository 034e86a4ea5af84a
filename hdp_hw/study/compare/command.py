"""The comparison itself: points to processes, results to the cache, records to files."""

from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.output_file import write
from hdp_hw.study.compare.records import Record, findings, write_records
from hdp_hw.study.compare.report import report
from hdp_hw.study.compare.sweep import points
from hdp_hw.study.compare.worker import evaluate, prepare
from hdp_hw.study.models import ModelError
from hdp_hw.study.sweep import Results, SweepError, digest_of_job, run
from hdp_hw.study.tasks import TaskError


def compare(job, folder, only=(), jobs=1, scheduler=None, command="", say=print):
    """Evaluate every point of the sweep that ``folder`` does not hold yet, and write the files of the comparison.

    only : parts of names of curves, to which the sweep is restricted; jobs : processes on this machine;
    scheduler : address of a Dask scheduler, whose workers are used in their place. Each of them must find the model
    and the data under the names that ``job`` has. Returns the records. Raises SweepError.
    """
    swept = [point for point in points(job.settings) if not only or any(part in point.curve for part in only)]
    if not swept:
        raise SweepError(f"no curve has any of {', '.join(only)} in its name")
    try:
        prepared = prepare(job)
    except (ModelError, TaskError) as error:
        raise SweepError(error) from None
    name, n = prepared.task.name, len(prepared.task.labels)
    if n < 2:
        raise SweepError(f"{n} examples to measure; a standard error takes at least 2, and the file twice as many")
    say(prepared.task.describe())
    cache = Results(folder / f"{name}.jsonl", digest(job))
    missing = [point for point in swept if cache.get(point) is None]
    say(f"{name}: {n} examples; {len(missing)} of {len(swept)} points to evaluate")

    def describe(point, result):
        return Record.of(point, result, prepared)

    failures = run(evaluate, job, missing, cache, describe, jobs, scheduler, say)
    done = [(point, cache.get(point)) for point in swept if cache.get(point) is not None]
    if not done:
        raise SweepError(f"every point failed, the first with: {failures[0]}")
    records = [Record.of(point, result, prepared) for point, result in done]
    write_records(records, folder / name)
    for sentence in findings(records):
        say(sentence)
    try:
        write(folder / f"{name}.html", report(records, job, prepared, command))
        say(f"{folder / name}.html, .json, .csv")
    except MissingPackage as error:
        say(f"{folder / name}.json, .csv; no page: {error}")
    say(prepared.task.describe())
    if failures:
        raise SweepError(f"{len(failures)} points failed, the first with: {failures[0]}")
    return records


def digest(job):
    """Of data, model, numbers of examples, array, and the sources that compute a result."""
    return digest_of_job(job, filter(None, (job.data, job.settings)), job.model)
