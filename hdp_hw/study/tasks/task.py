"""What all tasks have, and how two ways of computing a model compare on one."""

from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.study.models import Model
from hdp_hw.study.statistics import label_flips, paired_error

SEED = 0  #: of samples and splits, unless another one is asked for


@dataclass(frozen=True, eq=False)
class Task:
    """Examples, their truth, and a metric.

    inputs : list of what :meth:`hdp_hw.study.models.Model.run` takes; labels : the truth [n_examples];
    uses : [n_examples, k], the inputs that make up each example; metric_name : how people call the metric, of 0 to 1;
    dense : by :meth:`fit`, outputs of the model without pruning; about : what was read from the file, for people.
    """

    name: str
    model: Model
    inputs: list
    labels: np.ndarray
    uses: np.ndarray
    dense: np.ndarray | None = None
    about: str = ""
    metric_name = ""

    def describe(self):
        """What the file was taken for, in a line: examples, labels, columns, delimiter, cut texts, metric."""
        return f"{self.name}: {self.about}"

    @property
    def fits_on_all(self):
        """:meth:`fit` learns from all examples, also those that are not measured afterwards."""
        return False

    def fit(self, dense):
        """The task with the outputs [n_inputs, ...] of the model without pruning, which :meth:`predict` takes."""
        return replace(self, dense=dense)

    def predict(self, outputs):
        """Predictions [n_examples] from outputs [n_inputs, ...]: integers for classes, else floats."""
        raise NotImplementedError

    @staticmethod
    def metric(predictions, labels):
        """0 to 1, more is better."""
        raise NotImplementedError

    def subset(self, examples):
        """The task of some of the examples; what was fitted stays."""
        inputs, uses = np.unique(self.uses[examples], return_inverse=True)
        return replace(
            self,
            inputs=[self.inputs[index] for index in inputs],
            labels=self.labels[examples],
            uses=uses.reshape(-1, self.uses.shape[1]),
            dense=None if self.dense is None else self.dense[inputs],
        )

    def sample(self, n, seed=SEED):
        """The task of ``n`` random examples, in the order of the file; of all where there are no more."""
        return self if n >= len(self.labels) else self.subset(draw(len(self.labels), n, seed))

    def split(self, shares=(0.5, 0.5), seed=SEED):
        """A task of random examples for each of ``shares``, which add up to 1: of none twice, in the file's order."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        ends = np.floor(np.cumsum(shares) * len(order) + 1e-9).astype(int)
        return tuple(self.subset(np.sort(part)) for part in np.split(order, ends[:-1]))


def draw(n_examples, n, seed=SEED):
    """The numbers of ``n`` random ones of ``n_examples``, ascending; always the same ones for a seed."""
    return np.sort(np.random.default_rng(seed).permutation(n_examples)[:n])


@dataclass(frozen=True)
class Comparison:
    """A way of computing the model against the one without pruning; ``loss`` is the difference of their metrics.

    n : examples; stderr : standard error of the loss; label_flips : examples whose label is another one.
    """

    n: int
    metric: float
    dense_metric: float
    loss: float
    stderr: float
    label_flips: int

    def __str__(self):
        loss = f"{100 * self.loss:.2f} +- {100 * self.stderr:.2f} points lost"
        return f"{100 * self.metric:.2f} of {100 * self.dense_metric:.2f}: {loss}, {self.label_flips} flips"


def compare(task, outputs):
    """Comparison of outputs [n_inputs, ...] with those that the task was fitted with."""
    predictions, dense = task.predict(outputs), task.predict(task.dense)
    metric, dense_metric = task.metric(predictions, task.labels), task.metric(dense, task.labels)
    stderr = paired_error(task.metric, predictions, dense, task.labels)
    flips = label_flips(predictions, dense)
    return Comparison(len(task.labels), metric, dense_metric, dense_metric - metric, stderr, flips)
