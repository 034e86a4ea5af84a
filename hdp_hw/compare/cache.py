"""What the results of a comparison depend on."""

from hdp_hw.sweep import digest_of_job

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
    return digest_of_job(job, SOURCES, filter(None, (job.data, job.settings)), job.model)
