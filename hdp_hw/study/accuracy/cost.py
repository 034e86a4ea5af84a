"""What attention layers take on a co-processor: clock cycles and bytes, from the cycle model and the fetch plan."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.layer import LayerSettings
from hdp_hw.golden.bits.core.attention_core import HeadResult, HeadResults, attend_many
from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.cycles.core.plan import array_cycles
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings
from hdp_hw.study.accuracy.attention import HdpAttention
from hdp_hw.study.models import Model


@dataclass(frozen=True)
class Cost:
    """Of one or more layers: clock cycles with a memory that never stalls, and bytes that it gives and takes."""

    cycles: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, name) + getattr(other, name) for name in vars(self)))

    @classmethod
    def of(cls, results: Sequence[HeadResult], settings: Sequence[HeadSettings], params: HdpParams) -> "Cost":
        """Of a layer: HeadResult and HeadSettings of each head, all with keys and values of their own."""
        n_heads, first = len(settings), settings[0]
        q, kv = (np.zeros((n_heads, n, first.head_dim), np.int64) for n in (first.n_q, first.n_k))
        job = LayerJob(q, kv, kv, tuple(settings))
        cycles = Emulator(params).cycles(job, results).counters["cycles"]
        moved = traffic(results, settings, params, table=job.has_table)
        return cls(cycles, moved["bytes_read"], moved["bytes_written"])


class CostMeter:
    """Observes an HdpAttention in one thread.

    costs : ``{length: [Cost of each layer]}`` of the inputs of each length; block_cycles : array cycles that a core
    would take for all of a layer's blocks, and for those that were computed, the decision aside.
    """

    def __init__(self, n_layers: int, params: HdpParams):
        self.params = params
        self.costs: dict[int, list[Cost]] = defaultdict(lambda: [Cost()] * n_layers)
        self.block_cycles = np.zeros((n_layers, 2))
        self._dense_costs: dict[int, list[Cost]] = defaultdict(lambda: [Cost()] * n_layers)
        self._known: dict[tuple[int, ...], Cost] = {}

    def __call__(self, layer: int, settings: Sequence[HeadSettings], results: HeadResults) -> None:
        n_heads, n, d = len(settings), settings[0].n_k, settings[0].head_dim
        for index in range(len(results.verdict)):
            heads = [results[index, head] for head in range(n_heads)]
            self.costs[n][layer] += Cost.of(heads, settings, self.params)
            self._dense_costs[n][layer] += self.dense_cost(n_heads, n, d)
            for head, result in zip(settings, heads):
                counts = np.array([result.n_visited, result.n_kept])
                of_blocks = array_cycles(head, result.verdict, 0, counts, self.params)
                self.block_cycles[layer] += of_blocks / self.params.n_cores

    @property
    def layers(self) -> list[Cost]:
        """Of each layer, the Cost of all inputs."""
        return _by_layer(self.costs)

    @property
    def dense(self) -> list[Cost]:
        """The same under the dense rule."""
        return _by_layer(self._dense_costs)

    def break_even(self, layer: int) -> float:
        """Share of computed blocks at which the layer takes as many clock cycles as under the dense rule, 1 at most.

        Its cycles beyond those for computed blocks count as fixed: the decision, and what fills the pipeline.
        """
        of_all, of_computed = self.block_cycles[layer]
        fixed = self.layers[layer].cycles - of_computed
        return float(min(1, max(0, (self.dense[layer].cycles - fixed) / of_all)))

    def dense_cost(self, n_heads: int, n: int, d: int, n_q: int | None = None) -> Cost:
        """Cost of a layer under the dense rule: ``n`` keys, and as many queries unless ``n_q`` says how many."""
        shape = n_heads, n_q or n, n, d
        if shape not in self._known:
            dense = [HeadSettings(*shape[1:])] * n_heads
            q, kv = (np.zeros((n_heads, rows, d), np.int64) for rows in shape[1:3])
            results = attend_many(q, kv, kv, dense, self.params)
            self._known[shape] = Cost.of([results[head] for head in range(n_heads)], dense, self.params)
        return self._known[shape]


def _by_layer(costs: dict[int, list[Cost]]) -> list[Cost]:
    return [sum(of_layer, Cost()) for of_layer in zip(*costs.values())]


def measure_cost(model: Model, inputs: list, layers: Sequence[LayerSettings], params: HdpParams) -> CostMeter:
    """CostMeter of ``inputs`` through a model with LayerSettings."""
    meter = CostMeter(len(layers), params)
    model.run(inputs, HdpAttention(layers, params, meter))
    return meter


def spread(inputs: list, n: int) -> list:
    """``n`` of the inputs, or all: of evenly spread lengths; one is of the median length."""
    by_length = sorted(range(len(inputs)), key=lambda index: len(inputs[index]))
    ends = (0, len(inputs) - 1) if n > 1 else ((len(inputs) - 1) / 2,) * 2
    places = np.unique(np.linspace(*ends, min(n, len(inputs))).round().astype(int))
    return [inputs[by_length[place]] for place in places]
