"""What pruning saves of a whole model: its attention, from the cycle model, beside its linear layers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hdp_hw.study.accuracy.cost import Cost, CostMeter
from hdp_hw.study.accuracy.linear import attention_macs, model_linears
from hdp_hw.study.models.encoder import Encoder

TITLES = ["attention, of the model's MACs", "of its dense cycles", "attention's cycles, of dense"]
TITLES += ["the model's cycles, of dense", "its bytes read, of dense"]  #: of :attr:`ModelCost.cells`
NOTHING = Cost()


@dataclass(frozen=True)
class ModelCost:
    """What inputs of a model take, in all.

    attention, dense : Cost of the attention layers under settings, and under the dense rule; linear : of the linear
    layers; attention_macs, linear_macs : multiply-accumulates without pruning.
    """

    attention: Cost = NOTHING
    dense: Cost = NOTHING
    linear: Cost = NOTHING
    attention_macs: int = 0
    linear_macs: int = 0

    def __add__(self, other: "ModelCost") -> "ModelCost":
        return ModelCost(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    @property
    def macs_share(self) -> float:
        """Attention's share of the multiply-accumulates."""
        return self.attention_macs / (self.attention_macs + self.linear_macs)

    @property
    def cycles_share(self) -> float:
        """Attention's share of the clock cycles under the dense rule."""
        return self.dense.cycles / (self.dense + self.linear).cycles

    @property
    def attention_saving(self) -> float:
        """Share of attention's clock cycles that is saved; below 0 where pruning takes more than it saves."""
        return 1 - self.attention.cycles / self.dense.cycles

    @property
    def cycles_saving(self) -> float:
        """Share of the model's clock cycles that is saved."""
        return 1 - (self.attention + self.linear).cycles / (self.dense + self.linear).cycles

    @property
    def bytes_saving(self) -> float:
        """Share of the bytes that the model reads that is saved."""
        return 1 - (self.attention + self.linear).bytes_read / (self.dense + self.linear).bytes_read

    @property
    def cells(self) -> list[str]:
        """Under TITLES."""
        left = 1 - self.attention_saving, 1 - self.cycles_saving, 1 - self.bytes_saving
        return [f"{share:.1%}" for share in (self.macs_share, self.cycles_share, *left)]

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        shares = ("macs_share", "cycles_share", "attention_saving", "cycles_saving", "bytes_saving")
        costs = {name: vars(getattr(self, name)) for name in ("attention", "dense", "linear")}
        macs = {"attention_macs": self.attention_macs, "linear_macs": self.linear_macs}
        return {**{name: getattr(self, name) for name in shares}, **costs, **macs}


def model_costs(
    meter: CostMeter, encoder: Encoder, lengths: Iterable[int], first_only: bool = False
) -> dict[int, ModelCost]:
    """``{length: ModelCost}`` of the inputs that a CostMeter has seen, from short to long.

    lengths : of each of these inputs; first_only : what nobody reads of the last layer is not computed, as the model's
    output is of the first position. Its attention is one dense query of each head then, with and without pruning.
    """
    whole = encoder.n_layers - first_only
    found = {}
    for n, count in sorted(Counter(lengths).items()):
        shape = encoder.n_heads, n, encoder.head_dim
        last = [meter.dense_cost(*shape, n_q=1)] * (count * first_only)
        linears = model_linears(encoder, n, first_only)
        macs = whole * attention_macs(encoder.hidden_size, n)
        macs += attention_macs(encoder.hidden_size, n, 1) * first_only
        found[n] = ModelCost(
            sum([*meter.costs[n][:whole], *last], NOTHING),
            sum([meter.dense_cost(*shape)] * (whole * count) + last, NOTHING),
            sum([linear.cost(meter.params) for linear in linears] * count, NOTHING),
            macs * count,
            sum(linear.macs for linear in linears) * count,
        )
    return found
