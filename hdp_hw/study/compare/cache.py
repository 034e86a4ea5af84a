"""What the results of a comparison depend on."""

from hdp_hw.study.sweep import digest_of_job


def digest(job):
    """Of data, model, numbers of examples, array, and the sources that compute a result."""
    return digest_of_job(job, filter(None, (job.data, job.settings)), job.model)
