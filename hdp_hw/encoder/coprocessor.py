"""Jobs of an encoder on a co-processor, or on what behaves like one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hdp_hw.driver.backend import Backend, LayerJob, LayerRun
from hdp_hw.driver.norm_job import NormJob
from hdp_hw.encoder.jobs import Affine, Linear, Norm
from hdp_hw.encoder.tiling import channel_unit, tiles
from hdp_hw.spec.encoder import SCALES_BYTES, SCALES_FIELDS
from hdp_hw.spec.params import HdpParams, ceil_div
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
    n_inputs, bits = x.shape[1], 16 if layer.factor is None else 8
    k = ceil_div(n_inputs, params.slice_width) * params.slice_width
    n_channels = ceil_div(len(layer.weight), unit := channel_unit(params, bits)) * unit
    x, weight = padded(x, len(x), k), padded(layer.weight, n_channels, k)
    scales = padded(packed_scales(layer), n_channels, SCALES_BYTES)
    for tile in tiles(len(x), n_channels, n_inputs, bits, params):
        n, end = tile.n_channels, tile.channel + tile.n_heads * tile.n_channels
        settings = HeadSettings(tile.n_rows, n, k, linear=True, words=bits == 16, activation=layer.activation)
        weights, of_channels = (each[tile.channel : end].reshape(-1, n, each.shape[1]) for each in (weight, scales))
        heads = (settings.validate(params),) * tile.n_heads
        rows = x[tile.row : tile.row + tile.n_rows]
        job = LayerJob(rows[None], weights, of_channels, heads, table=layer.table)
        yield Part(tile.row, tile.channel, min(end, len(layer.weight)) - tile.channel, job)


def norm_job(norm: Norm, x: np.ndarray, y: np.ndarray | None = None) -> NormJob:
    """The NormJob of a norm of words x, and y likewise or None, [rows, n]; what it gives is what ``norm(x, y)`` is."""
    shift, operand_shift = (part.shift if part else 0 for part in (norm.words, norm.operands))
    return NormJob(
        x,
        y,
        norm_scales(norm),
        a=norm.a,
        b=0 if y is None else norm.b,
        epsilon=norm.epsilon,
        rms=norm.rms,
        pre_norm=norm.words is None,
        shift=shift,
        operand_shift=operand_shift,
        operands=norm.operands is not None,
    )


def norm_scales(norm: Norm) -> np.ndarray:
    """int64 [n, 4] of a norm's features, NORM_SCALES; 0 where they are of nothing."""
    (n,) = {len(part.gamma) for part in (norm.words, norm.operands) if part}
    nothing = Affine(np.zeros(n, np.int64), np.zeros(n, np.int64), 0)
    words, operands = (part or nothing for part in (norm.words, norm.operands))
    return np.stack([words.gamma, words.beta, operands.gamma, operands.beta], -1)


def packed_scales(layer: Linear) -> np.ndarray:
    """uint8 [n_out, SCALES_BYTES] of a layer's output channels, the fields of ``SCALES_FIELDS`` from the lowest on."""
    total, low = np.zeros(len(layer.bias), np.uint64), 0
    for name, width in SCALES_FIELDS.items():
        values = getattr(layer, name)
        if values is not None:
            total |= (np.asarray(values, np.int64) & ((1 << width) - 1)).astype(np.uint64) << np.uint64(low)
        low += width
    return total.astype("<u8").view(np.uint8).reshape(-1, SCALES_BYTES)


def padded(matrix: np.ndarray, n_rows: int, n_columns: int) -> np.ndarray:
    """int64 [n_rows, n_columns] with zeros below and to the right."""
    padded = np.zeros((n_rows, n_columns), np.int64)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
