"""The verdict on a head."""

from typing import Any

import numpy as np

from hdp_hw.spec.settings import RELATIVE_ONE, HeadSettings, Rule, Verdict


def head_verdict(theta_head: Any, n_valid: int, n_kept: Any, n_visited: int, settings: HeadSettings) -> Any:
    """Verdicts from sums of |A|, numbers of valid elements, and of kept and visited blocks; arrays or integers."""
    if settings.rule == Rule.DENSE:
        return np.full_like(theta_head, Verdict.DENSE)
    pruned = theta_head * 256 < settings.tau_head * n_valid
    fallback = n_kept * RELATIVE_ONE < settings.min_keep * n_visited
    return np.where(pruned, Verdict.PRUNED, np.where(fallback, Verdict.FALLBACK, Verdict.SPARSE))
