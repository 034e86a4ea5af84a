"""How much a loss that was measured on some examples may be over all examples like them."""

from statistics import NormalDist

import numpy as np

from hdp_hw.study.statistics import GROUPS, accuracy, spearman
from hdp_hw.study.tasks import Comparison, Task

CONFIDENCE = 0.95  #: by default
FLIPS = 2.0  #: of labels, that are counted beside those seen
WORSE = 1.0  #: how many more of them are to the wrong label than to the right one
RANKED = 20  #: examples at least, to say anything of a rank correlation


def loss_bound(task: Task, outputs: np.ndarray, comparison: Comparison, confidence: float = CONFIDENCE) -> float:
    """The loss over examples like those of the task is at most this, with ``confidence``.

    outputs : [n_inputs, ...], whose :func:`hdp_hw.study.tasks.compare` is ``comparison``.

    The examples must be drawn at random, and must have no part in how the settings came about. The bound is one-sided:
    the loss plus a quantile of Student's t times the standard error. A standard error says nothing where hardly a label
    flips: none of 10 does not mean none of 1,000. For classes, flips are therefore counted as :func:`flips_bound` says,
    and a rank correlation of fewer than RANKED examples has no bound.
    """
    if task.metric is spearman and comparison.n < RANKED:
        return float("inf")
    if not of_classes(task):
        freedom = min(comparison.n, GROUPS) - 1
        return comparison.loss + t_quantile(confidence, freedom) * comparison.stderr
    predictions, dense = task.predict(outputs), task.predict(task.dense)
    right, was_right = predictions == task.labels, dense == task.labels
    return flips_bound(int((was_right & ~right).sum()), int((right & ~was_right).sum()), comparison.n, confidence)


def of_classes(task: Task) -> bool:
    """Whether a task's predictions are classes."""
    return task.metric is accuracy


def flips_bound(worse: int, better: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The bound when ``worse`` of n examples lose the right label, and ``better`` get it.

    As if there were two more examples, and half a flip more to the right label and one and a half to the wrong one.
    At 95% confidence, no flips in n examples bound the loss by 3.3 / n; at least 94.4% of such bounds hold, whatever
    the shares of flips are (``tb/model/test_calibration_bound.py`` adds up all cases).
    """
    total, net, n = worse + better + FLIPS, worse - better + WORSE, n + 2
    stderr = np.sqrt(max(total / n - (net / n) ** 2, 0) / (n - 1))
    return float(net / n + t_quantile(confidence, n - 3) * stderr)


def examples_for(max_loss: float, confidence: float = CONFIDENCE) -> int:
    """How many examples without a flip bound the loss of accuracy by ``max_loss``."""
    n = 4
    while flips_bound(0, 0, n, confidence) > max_loss:
        n += 1 + n // 100
    return n


def t_quantile(confidence: float, freedom: int) -> float:
    """Quantile of Student's t, by its expansion around the normal one: within 1% from 4 degrees of freedom on."""
    z = NormalDist().inv_cdf(confidence)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / max(freedom, 1) ** power for power, term in enumerate(terms, 1))
