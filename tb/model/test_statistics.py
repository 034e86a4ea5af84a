"""Metrics and their errors: hdp_hw/study/statistics.py."""

import numpy as np
import pytest

from hdp_hw.study.statistics import accuracy, label_flips, paired_error, spearman


def test_accuracy():
    assert accuracy([1, 0, 1, 1], [1, 1, 1, 0]) == 0.5


def test_spearman_by_hand():
    assert spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert spearman([0.1, 0.5, 0.9], [5, 3, 1]) == pytest.approx(-1)
    assert spearman([2, 2, 2], [1, 2, 3]) == 0


def test_ties_share_their_mean_rank():
    """Ranks 0.5, 0.5, 2 against 0, 1, 2: centred -0.5, -0.5, 1 and -1, 0, 1."""
    assert spearman([7, 7, 9], [1, 2, 3]) == pytest.approx(1.5 / np.sqrt(1.5 * 2))


def test_paired_error_of_accuracy_is_that_of_a_mean_difference():
    rng = np.random.default_rng(1)
    labels, dense, pruned = rng.integers(0, 2, (3, 150))
    difference = (pruned == labels).astype(float) - (dense == labels)
    expected = difference.std(ddof=1) / np.sqrt(len(labels))
    assert paired_error(accuracy, pruned, dense, labels) == pytest.approx(expected)
    assert paired_error(accuracy, dense, dense, labels) == 0


def test_paired_error_covers_what_other_samples_show():
    """The jackknife's error of a difference of rank correlations, against its spread over many samples."""
    rng = np.random.default_rng(2)

    def sample(n):
        truth = rng.standard_normal(n)
        dense = truth + rng.standard_normal(n)
        return dense + 0.5 * rng.standard_normal(n), dense, truth

    differences, errors = [], []
    for _ in range(60):
        pruned, dense, truth = sample(300)
        differences.append(spearman(pruned, truth) - spearman(dense, truth))
        errors.append(paired_error(spearman, pruned, dense, truth))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.3)


def test_one_example_has_no_error():
    with pytest.raises(ValueError, match="1 examples; a standard error takes at least 2"):
        paired_error(accuracy, [1], [1], [1])


def test_label_flips():
    assert label_flips([1, 0, 2], [1, 1, 2]) == 1
    assert label_flips([0.4, 0.6, 0.1, 0.9], [0.6, 0.4, 0.1, 0.9]) == 2
    assert label_flips([0.7, 0.7, 0.1, 0.9], [0.6, 0.7, 0.2, 0.8]) == 1  # the median is 0.65
