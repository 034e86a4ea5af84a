"""Texts, or pairs of them, and a number (cross-encoders of STS-B): rank correlation of the model's one output."""

import numpy as np

from hdp_hw.study.statistics import spearman
from hdp_hw.study.tasks.task import Task


class Regression(Task):
    """By the only output of the model."""

    metric_name = "Spearman"
    metric = staticmethod(spearman)

    def predict(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[self.uses[:, 0], 0].astype(np.float64)
