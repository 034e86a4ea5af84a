"""How sure a measured loss is: metrics, their paired standard error, and label flips."""

import numpy as np

GROUPS = 200  #: of the jackknife, at most


def accuracy(predictions, labels):
    """Share of the predictions that equal their label."""
    return float(np.mean(np.asarray(predictions) == np.asarray(labels)))


def cosines(a, b):
    """Cosines of rows; that of a row of zeros is 1 with itself and 0 with others."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    scale = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.where(scale > 0, (a * b).sum(-1) / np.where(scale > 0, scale, 1), (a == b).all(-1))


def spearman(predictions, labels):
    """Rank correlation; ties share their mean rank. 0 where all of either are tied, which rank nothing."""
    a, b = (_centred_ranks(np.asarray(values)) for values in (predictions, labels))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale else 0.0


def paired_error(metric, predictions, dense_predictions, labels):
    """Standard error of ``metric(predictions, labels) - metric(dense_predictions, labels)``.

    By the jackknife: both are measured with each example left out in turn, or each of GROUPS groups where there are
    more examples. Both see the same examples, so what is hard in these cancels out.
    """
    arrays = [np.asarray(values) for values in (predictions, dense_predictions, labels)]
    n = len(arrays[0])
    if n < 2:
        raise ValueError(f"{n} examples; a standard error takes at least 2")
    n_groups = min(n, GROUPS)
    group = np.arange(n) % n_groups
    differences = np.empty(n_groups)
    for left_out in range(n_groups):
        of_method, of_dense, truth = (values[group != left_out] for values in arrays)
        differences[left_out] = metric(of_method, truth) - metric(of_dense, truth)
    return float(np.sqrt((n_groups - 1) * differences.var()))


def label_flips(predictions, dense_predictions):
    """Number of examples whose label is another one than without pruning.

    Labels are integers. Scores, floats, have the label "above the median of the scores without pruning".
    """
    predictions, dense_predictions = np.asarray(predictions), np.asarray(dense_predictions)
    if np.issubdtype(dense_predictions.dtype, np.floating):
        median = np.median(dense_predictions)
        predictions, dense_predictions = predictions > median, dense_predictions > median
    return int((predictions != dense_predictions).sum())


def _centred_ranks(values):
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = ((2 * ends - counts - 1) / 2)[inverse]
    return ranks - ranks.mean()
