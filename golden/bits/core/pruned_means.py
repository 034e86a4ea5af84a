"""The pruned keys of query rows: how many, and their mean score."""

from typing import Any

import numpy as np

from hdp_hw.golden.bits.approximation.compensator import mean_score
from hdp_hw.spec.params import HdpParams


def pruned_means(
    pruned_sum: Any, n_kept_tiles: np.ndarray, last_kept: np.ndarray, n_k: int, params: HdpParams
) -> tuple[np.ndarray, np.ndarray]:
    """``(mean scores, numbers of pruned keys)`` of query rows.

    pruned_sum : sum of A over the row's pruned keys; n_kept_tiles : tiles kept, of which the row's last tile is one
    if ``last_kept``; n_k : keys, of which the last tile may have less than T.
    """
    missing = np.where(last_kept, -n_k % params.tile, 0)
    n_pruned = n_k - (n_kept_tiles * params.tile - missing)
    return mean_score(pruned_sum, n_pruned, params), n_pruned
