"""Results that survive an interruption: a file of JSON lines, each under a digest of all that went into it."""

import hashlib
import json
from functools import cached_property
from pathlib import Path

import golden
import hdp_hw
from golden.models import find_model

SOURCES = (
    "golden",
    "hdp_hw/compare/worker.py",
    "hdp_hw/compare/calibrated.py",
    "hdp_hw/params.py",
    "hdp_hw/settings.py",
    "hdp_hw/tables.py",
)


class Cache:
    """Results of a job's points.

    Parameters
    ----------
    path : pathlib.Path
        The file; results of other jobs in it are left alone.
    job : Job
    """

    def __init__(self, path, job):
        self.path, self.job = path, job
        text = path.read_text() if path.exists() else ""
        self.results, self.torn = {}, text[-1:] not in ("", "\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # what a run that was killed has left
                continue
            self.results[entry["key"]] = entry["result"]

    def get(self, point):
        """The result of a Point, or None."""
        return self.results.get(self._key(point))

    def put(self, point, result):
        """Append a result to the file."""
        key = self._key(point)
        entry = {"key": key, "method": point.method, "parameters": dict(point.parameters), "result": result}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" * self.torn + json.dumps(entry) + "\n")
        self.results[key], self.torn = result, False

    def _key(self, point):
        return _digest(self.digest.encode(), json.dumps([point.method, sorted(point.parameters)]).encode())

    @cached_property
    def digest(self):
        """Of data, model, numbers of examples, array, and the sources that compute a result."""
        root = Path(golden.__file__).parents[1]
        files = [
            path
            for name in SOURCES
            for path in ([root / name] if name.endswith(".py") else root.glob(f"{name}/**/*.py"))
        ]
        files += [Path(name) for name in (self.job.data, self.job.settings) if name]
        files += [*find_model(self.job.model).glob("*.*")]
        contents = [path.read_bytes() for path in sorted(files)]
        return _digest(repr((self.job, hdp_hw.__version__)).encode(), *contents)


def _digest(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:24]
