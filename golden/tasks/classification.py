"""Texts or images and their classes (SST-2, IMDb, digits): accuracy."""

import numpy as np

from golden.statistics import accuracy
from golden.tasks.task import Task

FOLDS = 5
RIDGE = 3.0  #: of embeddings of length 1


class Classification(Task):
    """By the model's classifier. A model without one gets linear probes of its embeddings.

    Each probe is a ridge regression on the embeddings without pruning of all examples but a FOLDS-th, and judges that.
    So what it judges it has not seen, and it knows nothing of pruning.
    """

    metric_name = "accuracy"
    metric = staticmethod(accuracy)

    def fit(self, dense_outputs):
        if self.model.labels or "probes" in self.fitted:
            return
        features, fold = self._features(dense_outputs), np.arange(len(self.labels)) % FOLDS
        targets = np.eye(int(self.labels.max()) + 1)[self.labels] - 0.5
        self.fitted["probes"] = [_ridge(features[fold != out], targets[fold != out]) for out in range(FOLDS)]

    def predict(self, outputs):
        if self.model.labels:
            return outputs[self.uses[:, 0]].argmax(-1)
        scores = np.stack([self._features(outputs) @ probe for probe in self.fitted["probes"]])
        examples = np.arange(len(self.labels))
        return scores[examples % FOLDS, examples].argmax(-1)

    def _features(self, outputs):
        """Embeddings of the examples and a one for the bias, [n_examples, hidden_size + 1]."""
        return np.pad(outputs[self.uses[:, 0]].astype(np.float64), ((0, 0), (0, 1)), constant_values=1)


def _ridge(x, y):
    """Weights of the ridge regression of y on x; the last column of x, the bias, is free."""
    penalty = np.full(x.shape[1], RIDGE)
    penalty[-1] = 0
    return np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y)
