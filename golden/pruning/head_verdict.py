"""The verdict on a head."""

from hdp_hw.settings import RELATIVE_ONE, Rule, Verdict


def head_verdict(theta_head, n_valid, n_kept, n_visited, settings):
    """Verdict from the sum of |A|, the numbers of valid elements, and of kept and visited blocks."""
    if settings.rule == Rule.DENSE:
        return Verdict.DENSE
    if theta_head * 256 < settings.tau_head * n_valid:
        return Verdict.PRUNED
    if n_kept * RELATIVE_ONE < settings.min_keep * n_visited:
        return Verdict.FALLBACK
    return Verdict.SPARSE
