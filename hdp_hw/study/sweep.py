"""Sweeps that survive an interruption: points go to processes, here or on a cluster, and their results to a file."""

import hashlib
import json
import os
import signal
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import active_children, get_context
from pathlib import Path

import hdp_hw
from hdp_hw import __version__
from hdp_hw.spec.failure import Failure
from hdp_hw.spec.output_file import make_folder, naming
from hdp_hw.study.models import find_model, model_files

FOLDERS = ("spec", "golden", "rtl", "driver", "simulation", "study")  #: of hdp_hw


class SweepError(Failure):
    """A sweep that cannot be made, or of which a part failed; the message says which and why."""


class Results:
    """Results of points, in a file of JSON lines, each under a digest of all that went into it.

    Parameters
    ----------
    path : pathlib.Path
        The file; results of other sweeps in it are left alone.
    digest : str
        Of all that the points share. A point is a dataclass.
    """

    def __init__(self, path, digest):
        self.path, self.digest = path, digest
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        self.results, self.torn = {}, text[-1:] not in ("", "\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # what a run that was killed has left
                continue
            self.results[entry["key"]] = entry["result"]

    def get(self, point):
        """The result of a point, or None."""
        return self.results.get(self._key(point))

    def put(self, point, result):
        """Append a result to the file."""
        key = self._key(point)
        make_folder(self.path.parent)
        with naming(self.path), self.path.open("a", encoding="utf-8") as file:
            entry = {"key": key, "point": asdict(point), "result": result}
            file.write("\n" * self.torn + json.dumps(entry) + "\n")
        self.results[key], self.torn = result, False

    def _key(self, point):
        return digest_of(self.digest.encode(), json.dumps(asdict(point), sort_keys=True).encode())


def digest_of(*parts):
    """Hexadecimal digest of bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]


def digest_of_job(job, files, model):
    """Digest of what all results of a job depend on: the job as text or data, the project's code, files and the model.

    files : paths; model : as for :func:`hdp_hw.study.models.find_model`, or None.
    """
    files = [*sources(), *map(Path, files), *(model_files(find_model(model)) if model else ())]
    return digest_of(repr((job, __version__)).encode(), *(path.read_bytes() for path in sorted(files)))


def sources():
    """Paths of all code that a result may depend on, by folder: what is added to one counts at once."""
    return [path for folder in FOLDERS for path in (Path(hdp_hw.__file__).parent / folder).rglob("*.py")]


def attempt(evaluate, job, point):
    """``evaluate(job, point)``, or ``{"error": text}``: not every exception survives the way between processes."""
    try:
        return evaluate(job, point)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def run(evaluate, job, missing, results, describe, jobs, scheduler, say):
    """Evaluate ``missing`` points into ``results``; returns the texts of what went wrong.

    evaluate : function of a module, ``evaluate(job, point)`` is what JSON takes; describe : ``describe(point, result)``
    is a text; jobs, scheduler : as for :func:`executor`, which is not asked for without points.
    """
    if not missing:
        return []
    with executor(min(jobs, len(missing)), scheduler) as pool:
        return _run(pool, evaluate, job, missing, results, describe, say)


def _run(pool, evaluate, job, missing, results, describe, say):
    failures, start = [], time.monotonic()
    with without_interruption():
        futures = {pool.submit(attempt, evaluate, job, point): point for point in missing}
    try:
        for count, future in enumerate(as_completed(futures), 1):
            point = futures[future]
            result = future.result()
            if "error" in result:
                failures.append(f"{point}: {result['error']}")
                say(f"[{count}/{len(missing)}] failed: {failures[-1]}")
                continue
            results.put(point, result)
            left = (time.monotonic() - start) / count * (len(missing) - count)
            say(f"[{count}/{len(missing)}] {describe(point, result)}; {left / 60:.1f} minutes left")
    except BrokenExecutor as error:
        raise SweepError(f"a process died; what is done is kept, so run it again ({error})") from None
    except BaseException:
        here = active_children()
        for process in here:
            process.terminate()  # or the pool waits for what they have begun
        for future in [] if here else futures:  # a pool whose processes died takes no cancelled ones
            future.cancel()
        raise
    return failures


@contextmanager
def without_interruption():
    """Processes that begin inside leave ^C to this one, which hears of it afterwards."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


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
        raise SweepError("--scheduler takes distributed: pip install 'hdp-hw[cluster]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise SweepError(f"no scheduler at {scheduler}: {error}") from None
    with client, client.get_executor(pure=False) as pool:
        yield pool
