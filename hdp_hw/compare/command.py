"""The comparison itself: points to processes, results to the cache, records to files."""

import os
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context

from golden.models import ModelError
from golden.tasks import TaskError
from hdp_hw.compare.cache import Cache
from hdp_hw.compare.records import Record, findings, write
from hdp_hw.compare.report import report
from hdp_hw.compare.sweep import points
from hdp_hw.compare.worker import attempt, prepare


class CompareError(Exception):
    """A comparison that cannot be made, or of which a part failed; the message says which and why."""


def compare(job, folder, only=(), jobs=1, scheduler=None, command="", say=print):
    """Evaluate every point of the sweep that ``folder`` does not hold yet, and write the files of the comparison.

    only : parts of names of curves, to which the sweep is restricted; jobs : processes on this machine;
    scheduler : address of a Dask scheduler, whose workers are used in their place. Each of them must find the model
    and the data under the names that ``job`` has. Returns the records. Raises CompareError.
    """
    swept = [point for point in points(job.settings) if not only or any(part in point.curve for part in only)]
    if not swept:
        raise CompareError(f"no curve has any of {', '.join(only)} in its name")
    try:
        prepared = prepare(job)
    except (ModelError, TaskError) as error:
        raise CompareError(error) from None
    name, n = prepared.task.name, len(prepared.task.labels)
    if n < 2:
        raise CompareError(f"{n} examples to measure; a standard error takes at least 2, and the file twice as many")
    cache = Cache(folder / f"{name}.jsonl", job)
    missing = [point for point in swept if cache.get(point) is None]
    say(f"{name}: {n} examples; {len(missing)} of {len(swept)} points to evaluate")
    failures = []
    if missing:
        with executor(min(jobs, len(missing)), scheduler) as pool:
            failures = _run(pool, job, missing, cache, prepared, say)
    done = [(point, cache.get(point)) for point in swept if cache.get(point) is not None]
    if not done:
        raise CompareError(f"every point failed, the first with: {failures[0]}")
    records = [Record.of(point, result, prepared) for point, result in done]
    write(records, folder / name)
    (folder / f"{name}.html").write_text(report(records, job, prepared, command))
    for sentence in findings(records):
        say(sentence)
    say(f"{folder / name}.html, .json, .csv")
    if failures:
        raise CompareError(f"{len(failures)} points failed, the first with: {failures[0]}")
    return records


def _run(pool, job, missing, cache, prepared, say):
    """Evaluate ``missing`` points; returns the texts of what went wrong."""
    failures, start = [], time.monotonic()
    futures = {pool.submit(attempt, job, point): point for point in missing}
    try:
        for count, future in enumerate(as_completed(futures), 1):
            point = futures[future]
            result = future.result()
            if "error" in result:
                failures.append(f"{point}: {result['error']}")
                say(f"[{count}/{len(missing)}] failed: {failures[-1]}")
                continue
            cache.put(point, result)
            left = (time.monotonic() - start) / count * (len(missing) - count)
            say(f"[{count}/{len(missing)}] {Record.of(point, result, prepared)}; {left / 60:.1f} minutes left")
    except BrokenExecutor as error:
        raise CompareError(f"a process died; what is done is kept, so run it again ({error})") from None
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return failures


@contextmanager
def executor(jobs, scheduler=None):
    """Executor of ``jobs`` processes here, each on one core, or of the workers of a Dask scheduler."""
    if scheduler is None:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the processes, which start anew
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError:
        raise CompareError("--scheduler takes distributed: pip install 'hdp-hw[cluster]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise CompareError(f"no scheduler at {scheduler}: {error}") from None
    with client, client.get_executor(pure=False) as pool:
        yield pool
