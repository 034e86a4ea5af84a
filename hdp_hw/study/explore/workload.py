"""What a co-processor is to compute: attention layers with their operands and settings, and what it makes of them."""

from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.layer import LayerSettings, as_scale
from hdp_hw.golden.bits.core.attention_core import attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.reference import attention, relative_error
from hdp_hw.golden.stimulus import captured_heads, wide_heads
from hdp_hw.spec.params import HEAD_DIM_RANGE, SEQ_LEN_RANGE, ParameterError, ceil_div
from hdp_hw.study.accuracy.calibrate import layers_of
from hdp_hw.study.accuracy.cost import Cost
from hdp_hw.study.accuracy.linear import Linear, attention_macs, layer_linears
from hdp_hw.study.accuracy.model_cost import ModelCost
from hdp_hw.study.capture import record
from hdp_hw.study.models import load_model
from hdp_hw.study.tasks import load_task

N, N_HEADS = 128, 12
INNER = 4  #: sizes of a layer, that the feed-forward network of a built-in workload has inside
#: Built-in workloads: what they are, and their heads.
BUILT_IN = {
    "minilm": (
        f"a layer of all-MiniLM-L6-v2, captured: {N_HEADS} heads, {N} x 32",
        lambda: [head for head in captured_heads(N) if head.name.startswith("lighthouse.")],
    ),
    "wide": (
        f"a layer in the shape of BERT-Base's, made of captured heads: {N_HEADS} heads, {N} x 64",
        lambda: list(islice(cycle(wide_heads(N)), N_HEADS)),
    ),
}
PRUNING = dict(rule="mass", threshold=1.0, relative=True, compensate=True)  #: of the built-in workloads


@dataclass(frozen=True)
class Workload:
    """How layers are found: the name of a built-in workload, or a settings file of hdp-hw calibrate.

    Of a settings file, ``model`` is the model it was made for; its layers attend over ``n_inputs`` random examples of
    ``data`` (default: built-in ones), whose ``columns`` are as :func:`load_task` has them, without pruning in the
    layers before.
    """

    name: str = "minilm"
    model: str | None = None
    data: str | None = None
    n_inputs: int = 1
    columns: str | None = None

    @property
    def layers(self):
        """Layers. Raises ParameterError, ModelError, TaskError, OSError."""
        return _layers(self)

    @property
    def files(self):
        """Paths of what it is read from, the model aside."""
        return [Path(name) for name in (self.name, self.data) if name and name not in BUILT_IN]

    def __str__(self):
        return (
            BUILT_IN[self.name][0]
            if self.name in BUILT_IN
            else f"{self.model} under {self.name}, {_task(self).describe()}"
        )


@dataclass(frozen=True, eq=False)
class Layer:
    """An attention layer: real q, k, v [n_heads, n, d], its LayerSettings, and the linear layers around it."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    settings: LayerSettings
    linears: list[Linear]

    @classmethod
    def of_heads(cls, heads):
        """Of heads of :mod:`golden.stimulus`, whose layer has a feed-forward network of INNER times its size."""
        scales = [tuple(getattr(head, f"{part}_absmax") for head in heads) for part in "qkv"]
        operands = (np.array([getattr(head, part) for head in heads]) for part in "qkv")
        hidden = sum(head.head_dim for head in heads)
        linears = layer_linears(hidden, INNER * hidden, heads[0].n_q)
        return cls(*operands, LayerSettings(*scales, **PRUNING), linears)

    def integers(self, params):
        """Integer operands (q, k, v) of a core."""
        absmax = self.settings.q_absmax, self.settings.k_absmax, self.settings.v_absmax
        return [quantize(x, as_scale(each), params) for x, each in zip((self.q, self.k, self.v), absmax)]

    def head_settings(self, params, dense=False):
        """HeadSettings of each head; ``dense``: without pruning. Raises ParameterError."""
        n_heads, n, d = self.q.shape
        settings = self.settings.dense() if dense else self.settings
        return settings.head_settings(n_heads, n_heads, n, n, d, params)

    def attend(self, params, dense=False):
        """``(HeadSettings of each head, HeadResults)``. Raises ParameterError."""
        settings = self.head_settings(params, dense)
        return settings, attend_many(*self.integers(params), settings, params)

    def model_cost(self, params, latency):
        """``(ModelCost, HeadResults)`` of the layer; ``latency`` : of the memory. Raises ParameterError."""
        costs, n, hidden = [], self.q.shape[1], self.q.shape[0] * self.q.shape[2]
        for dense in (True, False):
            settings, results = self.attend(params, dense)
            job, heads = LayerJob(*self.integers(params), settings), [results[head] for head in range(len(settings))]
            moved = traffic(heads, settings, params, table=job.has_table)
            cycles = Emulator(params, latency, latency).cycles(job, heads).interrupt
            costs.append(Cost(cycles, moved["bytes_read"], moved["bytes_written"]))
        linear = sum((each.cost(params) for each in self.linears), Cost())
        macs = attention_macs(hidden, n), sum(each.macs for each in self.linears)
        return ModelCost(costs[1], costs[0], linear, *macs), results

    def errors(self, output, params):
        """Of each head, relative error of an integer output against attention in float64."""
        real = output * (as_scale(self.settings.v_absmax) / params.digit_max)
        heads = zip(real, self.q, self.k, self.v)
        return [relative_error(of_head, attention(q, k, v)) for of_head, q, k, v in heads]


@cache
def _layers(workload):
    if workload.name in BUILT_IN:
        return [Layer.of_heads(BUILT_IN[workload.name][1]())]
    if not Path(workload.name).suffix:
        raise ParameterError("workload", workload.name, f"{', '.join(BUILT_IN)} or a settings file of hdp-hw calibrate")
    if not workload.model:
        raise ParameterError("model", None, "the model that the settings file was made for")
    task = _task(workload)
    encoder = task.model.encoder
    settings = layers_of(workload.name, encoder.n_layers)
    sizes = encoder.hidden_size, encoder.inner_size
    return [
        Layer(*operands, of_layer, layer_linears(*sizes, encoder.seq_len(example)))
        for example in task.inputs
        for operands, of_layer in zip(record(encoder, example), settings)
    ]


@cache
def _task(workload):
    return load_task(workload.data, load_model(workload.model), limit=workload.n_inputs, columns=workload.columns)


def limits(layers):
    """``{"max_head_dim", "max_seq_len"}`` that a core needs for layers; ``tile`` and ``lanes`` may ask for more."""
    d, n = (max(layer.q.shape[axis] for layer in layers) for axis in (2, 1))
    return {"max_head_dim": max(d, HEAD_DIM_RANGE[0]), "max_seq_len": max(ceil_div(n, 8) * 8, SEQ_LEN_RANGE[0])}
