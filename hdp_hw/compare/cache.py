"""What the results of a comparison depend on."""

from pathlib import Path

import hdp_hw
from golden.models import find_model
from hdp_hw.sweep import digest_of, sources

SOURCES = (
    "golden",
    "hdp_hw/compare/worker.py",
    "hdp_hw/compare/calibrated.py",
    "hdp_hw/params.py",
    "hdp_hw/settings.py",
    "hdp_hw/tables.py",
)


def digest(job):
    """Of data, model, numbers of examples, array, and the sources that compute a result."""
    files = [*sources(SOURCES), *(Path(name) for name in (job.data, job.settings) if name)]
    files += [*find_model(job.model).glob("*.*")]
    contents = [path.read_bytes() for path in sorted(files)]
    return digest_of(repr((job, hdp_hw.__version__)).encode(), *contents)
