"""Texts or images and their classes (SST-2, IMDb, digits): accuracy."""

from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.study.statistics import accuracy
from hdp_hw.study.tasks.task import Task

FOLDS = 5
RIDGE = 3.0  #: of embeddings of length 1


@dataclass(frozen=True, eq=False)
class Classification(Task):
    """By the model's classifier. A model without one gets linear probes of its embeddings.

    Each probe is a ridge regression on the embeddings without pruning of all examples but a FOLDS-th, and judges that:
    it has not seen what it judges, and knows nothing of pruning.

    probes, folds : by :meth:`fit`; the number of the probe [n_examples] that judges each example.
    """

    probes: np.ndarray | None = None
    folds: np.ndarray | None = None
    metric_name = "accuracy"
    metric = staticmethod(accuracy)

    @property
    def fits_on_all(self):
        return not self.model.labels

    def fit(self, dense):
        task = super().fit(dense)
        if self.model.labels or self.probes is not None:
            return task
        features, folds = self._features(dense), np.arange(len(self.labels)) % FOLDS
        targets = np.eye(int(self.labels.max()) + 1)[self.labels] - 0.5
        probes = [_ridge(features[folds != fold], targets[folds != fold]) for fold in range(FOLDS)]
        return replace(task, probes=np.array(probes), folds=folds)

    def subset(self, examples):
        task = super().subset(examples)
        return task if self.folds is None else replace(task, folds=self.folds[examples])

    def predict(self, outputs):
        if self.model.labels:
            return outputs[self.uses[:, 0]].argmax(-1)
        return np.einsum("ef,efc->ec", self._features(outputs), self.probes[self.folds]).argmax(-1)

    def _features(self, outputs):
        """Embeddings of the examples and a one for the bias, [n_examples, hidden_size + 1]."""
        return np.pad(outputs[self.uses[:, 0]].astype(np.float64), ((0, 0), (0, 1)), constant_values=1)


def _ridge(x, y):
    """Weights of the ridge regression of y on x; the last column of x, the bias, is free."""
    penalty = np.full(x.shape[1], RIDGE)
    penalty[-1] = 0
    return np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
