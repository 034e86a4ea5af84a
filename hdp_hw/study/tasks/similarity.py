"""Pairs of texts and how alike they are (STS-B): rank correlation of the cosines of their embeddings."""

from hdp_hw.study.statistics import cosines, spearman
from hdp_hw.study.tasks.task import Task


class Similarity(Task):
    """By the cosine of the two outputs."""

    metric_name = "Spearman"
    metric = staticmethod(spearman)

    def predict(self, outputs):
        return cosines(*(outputs[side] for side in self.uses.T))
