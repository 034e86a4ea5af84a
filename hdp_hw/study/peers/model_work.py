"""What a method saves of a whole model: of attention as its Work has it, and of the linear layers beside it.

The unit and what is counted of attention are those of :mod:`hdp_hw.study.peers.cost`; the linear layers are those of
:mod:`hdp_hw.study.accuracy.linear`. Of memory traffic linear layers have their weights, which each input reads once,
and their inputs and outputs. Embeddings, normalisation, softmax and what follows the last layer are counted for nobody.

A classifier reads the first position. What nobody reads is left out, exactly and by whoever computes the model: of the
last layer all but K and V and one query, one row of what follows it. So it is no saving of a method, and no part of
what savings are shares of, unless ``first_only`` is False.
"""

from dataclasses import dataclass, replace

from hdp_hw.study.accuracy.linear import layer_linears
from hdp_hw.study.peers.cost import Work


@dataclass(frozen=True)
class ModelWork:
    """A method's Work beside the linear layers of the model that it was counted in.

    hidden, inner : elements of a position, and inside the feed-forward network; first_only : the model reads the first
    position of its last layer. All shares are of what the model takes without pruning.
    """

    work: Work
    hidden: int
    inner: int
    first_only: bool = False

    @property
    def all_rows(self) -> "ModelWork":
        """The same where the last layer computes what nobody reads, too."""
        return replace(self, first_only=False)

    @property
    def attention_share(self) -> float:
        """Attention's share of the multiply-accumulates."""
        attention = self._attention(dense=True).sum()
        return float(attention / (attention + self._linear(dense=True).sum()))

    @property
    def linear_saving(self) -> float:
        """Share of the linear layers' work that is spared."""
        return float(1 - self._linear().sum() / self._linear(dense=True).sum())

    @property
    def saving(self) -> float:
        """Share of the work that is saved, the decision's own subtracted."""
        return self._saving(self._linear())

    @property
    def saving_with_projections(self) -> float:
        """The same where V and output projection of heads that are pruned whole are spared as well."""
        _, key_value, output, *_ = self._costs()
        spared = self._unit * self._mean("spared") * (key_value / 2 + output)
        if self.first_only:
            spared[-1] = 0
        return self._saving(self._linear() - spared)

    @property
    def byte_saving(self) -> float:
        """Share of the memory traffic that is saved; attention's is that of all rows."""
        attention, dense = (self.work.counts[name].sum() for name in ("bytes", "dense_bytes"))
        linear, dense_linear = (self._linear_bytes(dense).sum() for dense in (False, True))
        return float(1 - (attention + linear) / (dense + dense_linear))

    @property
    def unread(self) -> float:
        """Share of the work of all rows that nobody reads."""
        own, every = ((each._attention(dense=True) + each._linear(dense=True)).sum() for each in (self, self.all_rows))
        return float(1 - own / every)

    def _saving(self, linear):
        dense = (self._attention(dense=True) + self._linear(dense=True)).sum()
        return float(1 - (self._attention() + linear).sum() / dense)

    def _mean(self, name):
        """A count's mean over the heads, [n_layers]."""
        return self.work.counts[name].mean(1)

    def _attention(self, dense=False):
        """Work of attention and its decision, [n_layers]."""
        counts = self.work.counts
        work = (counts["dense_cost"] if dense else counts["cost"] + counts["decision"]).sum(1)
        if self.first_only:  # one dense query
            work[-1] = 2 * self.hidden * self._unit * self._mean("dense_rows" if dense else "projected")[-1]
        return work

    def _linear(self, dense=False):
        """Work of linear layers, [n_layers]."""
        return self._unit * self._of_rows(self._costs(), dense)

    def _linear_bytes(self, dense=False):
        """Memory traffic of linear layers, [n_layers]."""
        moved = self._of_rows([each.inputs + each.outputs for each in self._layers()], dense)
        query, key_value, output, *inner = self._costs()  # as many as weights
        texts = self._mean("texts")
        projections = texts if dense else self._mean("weights")
        return moved + projections * (query + key_value + output) + texts * sum(inner)

    def _of_rows(self, costs, dense):
        """What linear layers take for all positions that they compute, [n_layers], if a row takes ``costs``."""
        query, key_value, output, *inner = costs
        names = 3 * ["dense_rows"] if dense else ["projected", "joined", "rows"]
        projected, joined, rows = (self._mean(name) for name in names)
        queries = projected.copy()
        if self.first_only:
            texts = self._mean("texts")[-1]
            queries[-1] = joined[-1] = texts * joined[-1] / rows[-1]
            rows[-1] = texts
        return queries * query + projected * key_value + joined * output + rows * sum(inner)

    def _costs(self):
        """Multiply-accumulates of a row in each linear layer: query, key and value, output, inner, outer."""
        return [each.macs for each in self._layers()]

    def _layers(self):
        return layer_linears(self.hidden, self.inner, 1, rows=1)

    @property
    def _unit(self):
        """Work of a multiply-accumulate of operands."""
        return self.work.counts["dense_cost"].sum() / self.work.counts["dense_macs"].sum()
