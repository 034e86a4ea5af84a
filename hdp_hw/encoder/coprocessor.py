"""Jobs of an encoder on a co-processor, or on what behaves like one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hdp_hw.driver.backend import Backend, LayerJob, LayerRun
from hdp_hw.driver.norm_job import NormJob
from hdp_hw.encoder.jobs import Affine, Linear, Norm
from hdp_hw.spec.encoder import SCALES_BYTES, SCALES_FIELDS
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div
from hdp_hw.spec.settings import HeadSettings

KINDS = ("linear", "attention")  #: of jobs


@dataclass(frozen=True)
class Part:
    """What one job computes of a linear layer: rows from ``row`` on, ``channels`` channels from ``channel`` on."""

    row: int
    channel: int
    channels: int
    job: LayerJob


@dataclass(eq=False)
class Coprocessor:
    """Runs a model's linear layers and its attention on a back end; the rest of it stays with the host.

    jobs, counters : ``{kind of job: how many, and sums of their counters}`` so far.
    """

    backend: Backend
    jobs: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    counters: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def linear(self, layer: Linear, x: np.ndarray) -> np.ndarray:
        """Words or operands [batch, n, n_out] of operands [batch, n, k]. Raises ParameterError, HdpError."""
        rows = x.reshape(-1, x.shape[-1])
        results = np.zeros((len(rows), len(layer.bias)), np.int64)
        for part in parts(layer, rows, self.backend.params):
            output = self._run("linear", part.job).output
            results[part.row : part.row + len(output), part.channel :][:, : part.channels] = output[:, : part.channels]
        return results.reshape(*x.shape[:-1], -1)

    def attend(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, settings: Sequence[HeadSettings]) -> list[LayerRun]:
        """LayerRun of each input of a batch: operands [batch, n_heads, n, d]. Raises ParameterError, HdpError."""
        return [self._run("attention", LayerJob(*each, tuple(settings))) for each in zip(q, k, v)]

    def _run(self, kind: str, job: LayerJob) -> LayerRun:
        run = self.backend.run(job)
        self.jobs[kind] += 1
        for name, count in run.counters.items():
            self.counters[kind][name] += count
        return run


def parts(layer: Linear, x: np.ndarray, params: HdpParams) -> Iterator[Part]:
    """The jobs of a linear layer of operands x [n, k]: as many rows as fit at once, and blocks of as many channels.

    Raises ParameterError if the core has no linear layers, or none so wide.
    """
    k, words = ceil_div(x.shape[1], params.slice_width) * params.slice_width, layer.factor is None
    unit = _unit(params, words)
    if not params.encoder:
        raise ParameterError("encoder", 0, "1, for linear layers")
    if k > (widest := max_inputs(params, words)):
        raise ParameterError("inputs of a linear layer", x.shape[1], f"1 to {widest} on this core")
    most = params.max_rows(k)
    block = most // unit * unit
    x, weight = _padded(x, len(x), k), _padded(layer.weight, ceil_div(len(layer.weight), unit) * unit, k)
    scales = _padded(packed_scales(layer), len(weight), SCALES_BYTES)
    whole = len(weight) // block * block
    for row in range(0, len(x), most):
        rows = x[row : row + most]
        for channel, end in ((0, whole), (whole, len(weight))):
            if channel == end:
                continue
            n = min(block, end - channel)
            settings = HeadSettings(len(rows), n, k, linear=True, words=words, activation=layer.activation)
            weights, of_channels = (each[channel:end].reshape(-1, n, each.shape[1]) for each in (weight, scales))
            heads = (settings.validate(params),) * len(weights)
            job = LayerJob(rows[None], weights, of_channels, heads, table=layer.table)
            yield Part(row, channel, min(end, len(layer.weight)) - channel, job)


def norm_job(norm: Norm, x: np.ndarray, y: np.ndarray | None = None) -> NormJob:
    """The NormJob of a norm of words x, and y likewise or None, [rows, n]; what it gives is what ``norm(x, y)`` is."""
    zero = np.zeros(x.shape[1], np.int64)
    words, operands = (part or Affine(zero, zero, 0) for part in (norm.words, norm.operands))
    return NormJob(
        x,
        y,
        np.stack([words.gamma, words.beta, operands.gamma, operands.beta], -1),
        norm.a,
        0 if y is None else norm.b,
        norm.epsilon,
        norm.rms,
        norm.words is None,
        words.shift,
        operands.shift,
        operands=norm.operands is not None,
    )


def max_inputs(params: HdpParams, words: bool) -> int:
    """Of the widest linear layer that a core takes; words : that its results are words, not operands."""
    rows = (ceil_div(_unit(params, words), params.tile) - 1).bit_length()  # log2 of those that a bank holds at once
    return min(params.max_inputs, params.lanes << params.bank_bits - rows)


def _unit(params: HdpParams, words: bool) -> int:
    """Channels whose results are whole bus words, and whole tiles."""
    return max(params.channel_step, params.bus_bytes // (1 + words))


def packed_scales(layer: Linear) -> np.ndarray:
    """uint8 [n_out, SCALES_BYTES] of a layer's output channels, the fields of ``SCALES_FIELDS`` from the lowest on."""
    total, low = np.zeros(len(layer.bias), np.uint64), 0
    for name, width in SCALES_FIELDS.items():
        values = getattr(layer, name)
        if values is not None:
            total |= (np.asarray(values, np.int64) & ((1 << width) - 1)).astype(np.uint64) << np.uint64(low)
        low += width
    return total.astype("<u8").view(np.uint8).reshape(-1, SCALES_BYTES)


def _padded(matrix: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """int64 [n_rows, n_columns] with zeros below and to the right."""
    padded = np.zeros((n_rows, n_columns), np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
