"""Texts without labels: how near the outputs stay to those without pruning."""

import numpy as np

from hdp_hw.study.statistics import cosines
from hdp_hw.study.tasks.task import Task


class Fidelity(Task):
    """Mean cosine of output and output without pruning."""

    metric_name = "fidelity"

    @staticmethod
    def metric(predictions, labels):
        return float(np.mean(predictions))

    def predict(self, outputs):
        return cosines(outputs, self.dense)[self.uses[:, 0]].round(6)  # so that what is the same is exactly 1
