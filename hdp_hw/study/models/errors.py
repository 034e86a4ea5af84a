"""What may be wrong with a model."""

from hdp_hw.spec.failure import Failure


class ModelError(Failure, ValueError):
    """A model that cannot be run; the message names the file, setting or tensors at fault."""


def listed(texts: list[str], most: int = 8) -> str:
    """The texts in one line, the first few of many."""
    more = [f"and {len(texts) - most} more"] if len(texts) > most else []
    return "; ".join([*texts[:most], *more])
