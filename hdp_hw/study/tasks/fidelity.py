"""Texts without labels: how near the outputs stay to those without pruning."""

import numpy as np

from hdp_hw.study.tasks.task import Task


class Fidelity(Task):
    """Mean cosine of output and output without pruning."""

    metric_name = "fidelity"

    @staticmethod
    def metric(predictions, labels):
        return float(np.mean(predictions))

    def predict(self, outputs):
        a, b = (x.astype(np.float64) for x in (outputs, self.dense))
        cosines = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
        return cosines[self.uses[:, 0]].round(6)  # so that what is the same is exactly 1
