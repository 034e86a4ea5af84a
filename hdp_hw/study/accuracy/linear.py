"""What the linear layers of an encoder would take on the array of a co-processor: computed, not simulated.

What pruning saves of a *model* depends on the rest of it, so the linear layers are charged to the same array, at the
best that it could do; ``hdp-hw run`` has the clock cycles that they take:

- *cycles*: the array works in FULL, and is busy in every cycle. A tile, T rows of the input by T outputs, takes one
  cycle for each ``lanes / 4`` inputs. Nothing is added for loading, results, normalisation or the start of a job. Cores
  share the rows, and the one with the most of them counts.
- *bytes*: an input and an output move once, at the width of an operand. A core keeps as many rows as its operand
  buffer holds, one tile row at least, and reads all weights once for each such set of rows.

Embeddings, normalisation, softmax, activations, and what follows the last layer are counted for nobody.
This file alone knows all this.
"""

from dataclasses import dataclass

from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.study.accuracy.cost import Cost
from hdp_hw.study.models.encoder import Encoder

#: What every report says of it.
ESTIMATE = (
    "The linear layers' cycles are computed, as if the same array worked on them and were busy in every cycle; "
    "hdp-hw run has those that a co-processor takes."
)


@dataclass(frozen=True)
class Linear:
    """``y = x W^T + b`` of x [rows, inputs] and W [outputs, inputs]."""

    rows: int
    inputs: int
    outputs: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.rows * self.inputs * self.outputs

    def cost(self, params: HdpParams) -> Cost:
        """Cost on a co-processor, see above."""
        tile, operand = params.tile, params.operand_width // 8
        tile_rows = ceil_div(self.rows, tile)
        of_cores = [tile_rows // params.n_cores + (core < tile_rows % params.n_cores) for core in range(params.n_cores)]
        resident = max(1, params.max_seq_len * params.max_head_dim // max(1, self.inputs * tile))  # tile rows
        times = sum(ceil_div(of_core, resident) for of_core in of_cores)
        return Cost(
            cycles=max(of_cores) * ceil_div(self.outputs, tile) * params.slices(self.inputs),
            bytes_read=(self.rows + times * self.outputs) * self.inputs * operand,
            bytes_written=self.rows * self.outputs * operand,
        )


def layer_linears(hidden: int, inner: int, n: int, rows: int | None = None, spared: int = 0) -> list[Linear]:
    """The linear layers of an encoder layer: Q, K and V, output, inner and outer of the feed-forward network.

    hidden, inner : elements of a position there; n : positions; rows : positions whose output is read, of which alone
    there is a query; by default all; spared : elements of V that nobody reads, as their heads are pruned whole, and
    that the output projection does without.
    """
    values = hidden - spared
    if rows is None:
        rows, projections = n, [Linear(n, hidden, 2 * hidden + values)]
    else:
        projections = [Linear(rows, hidden, hidden), Linear(n, hidden, hidden + values)]
    return [*projections, Linear(rows, values, hidden), Linear(rows, hidden, inner), Linear(rows, inner, hidden)]


def model_linears(encoder: Encoder, n: int, first_only: bool = False) -> list[Linear]:
    """Of all layers for an input of ``n`` positions; first_only : of the last layer, one row is read."""
    last = layer_linears(encoder.hidden_size, encoder.inner_size, n, 1 if first_only else None)
    return (encoder.n_layers - 1) * layer_linears(encoder.hidden_size, encoder.inner_size, n) + last


def attention_macs(hidden: int, n: int, rows: int | None = None) -> int:
    """Multiply-accumulates of QK^T and PV of a layer without pruning; ``rows`` : queries, by default all ``n``."""
    return 2 * (rows or n) * n * hidden
