"""Pairs of texts and how alike they are (STS-B): rank correlation of the cosines of their embeddings."""

import numpy as np

from hdp_hw.study.statistics import spearman
from hdp_hw.study.tasks.task import Task


class Similarity(Task):
    """By the cosine of the two outputs."""

    metric_name = "Spearman"
    metric = staticmethod(spearman)

    def predict(self, outputs):
        a, b = (outputs[side].astype(np.float64) for side in self.uses.T)
        return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
