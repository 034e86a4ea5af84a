"""The jobs that take an input of so many tokens from the words of its embeddings to those of its hidden states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from hdp_hw.driver.memory_layout import row_bytes, table_entry
from hdp_hw.encoder.content import StoredLinear, aligned
from hdp_hw.encoder.jobs import Norm
from hdp_hw.encoder.tiling import Tile, tiles
from hdp_hw.spec.encoder import SCALES_BYTES
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, ENTRY_REGISTERS
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import HeadSettings, Rule

CHANNELS = 16  #: of a block, or as few as are whole bus words: a block is loaded while the one before is computed
Span = tuple[str, int, int]  #: rows of a buffer: its name, the first, and the one behind the last


@dataclass(frozen=True)
class Rows:
    """Rows of a buffer: offset of the first, bytes to the next; ``fraction`` is the offset of a second plane."""

    offset: int
    stride: int
    fraction: int = 0

    def at(self, row: int, byte: int = 0) -> "Rows":
        """The same from a row, and a byte of it, on."""
        skipped = row * self.stride + byte
        return Rows(self.offset + skipped, self.stride, self.fraction + skipped)


@dataclass(frozen=True)
class Job:
    """A job of a chain, or the norm that it is alone.

    kind : "linear", "attention" or "norm"; words : ``{register: word}``; addresses : ``{address register: offset}``;
    uses : rows that it reads or writes; norm : fields of the norm beside it.
    """

    kind: str
    words: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, int] = field(default_factory=dict)
    uses: tuple[Span, ...] = ()
    norm: Mapping[str, int] | None = None

    def meets(self, spans: Sequence[Span]) -> bool:
        """Whether some of the rows are its own."""
        return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in self.uses for b in spans)


@dataclass(frozen=True)
class StoredLayer:
    """Where a layer's jobs find their weights; norms with the offsets of their scales.

    query_key : both in one, query first.
    """

    query_key: StoredLinear
    value: StoredLinear
    context: StoredLinear
    context_norm: tuple[Norm, int]
    inner: StoredLinear
    outer: StoredLinear
    outer_norm: tuple[Norm, int]


@dataclass(frozen=True)
class Attention:
    """A layer's heads: HeadSettings of the first; offset of the table with those of all, 0 without one.

    stride : bytes from the table of one number of keys to the next, the first of which is of one key; 0 where one table
    serves all.
    """

    settings: HeadSettings
    table: int
    stride: int


@dataclass(frozen=True)
class Heads:
    """Heads of a model on a core: how many, elements of each, and elements that they take in memory."""

    number: int
    dim: int
    params: HdpParams

    @property
    def key(self) -> int:
        """Of Q and K: whole words of digits, and whole bus words; behind a head's own lie zeros, computed as such."""
        return self._padded(self.params.lanes, 2 * self.params.bus_bytes, self.params.channel_step)

    @property
    def value(self) -> int:
        """Of V, likewise of operands."""
        return self._padded(self.params.lanes // 2, self.params.bus_bytes, self.params.channel_step)

    @property
    def context(self) -> int:
        """Of what attention writes: whole bus words."""
        return self._padded(2 * self.params.bus_bytes, 2 * self.params.out_lanes)

    def _padded(self, *multiples: int) -> int:
        return ceil_div(self.dim, max(multiples)) * max(multiples)  # all of them are powers of two


@dataclass(frozen=True)
class Sizes:
    """Of a model's rows: words, channels of a linear layer that makes words, and of an inner one."""

    features: int
    channels: int
    inner: int
    heads: Heads

    def buffers(self, offset: int, n: int) -> tuple[dict[str, Rows], int]:
        """``({name: Rows}, end)`` of n rows; ``rows`` are the residual's words, from embeddings to hidden states.

        What the inner layer makes lies where Q, K and V were.
        """
        params, heads, buffers = self.heads.params, self.heads, dict[str, Rows]()

        def planes(elements: int) -> tuple[int, int]:
            return row_bytes("q_integer", elements, params), 2

        words = ceil_div(2 * self.features, params.bus_bytes) * params.bus_bytes
        shapes = {"rows": (words, 1), "context": planes(heads.number * heads.context), "y": (2 * self.channels, 1)}
        shapes |= {"x": planes(self.features), "query_key": planes(2 * heads.number * heads.key)}
        shapes |= {"value": (heads.number * heads.value, 1), "inner": planes(self.inner)}
        for name, (stride, number) in shapes.items():
            if name == "inner":
                end, offset = offset, buffers["query_key"].offset
            size = aligned(n * stride)
            buffers[name] = Rows(offset, stride, offset + size if number == 2 else 0)
            offset += number * size
        return buffers, max(offset, end)


class Chain:
    """The jobs of an input of ``n`` tokens, whose buffers, with strides for all lengths, are ``buffers``."""

    def __init__(self, n: int, buffers: Mapping[str, Rows], sizes: Sizes) -> None:
        self.n, self.buffers, self.sizes, self.params = n, buffers, sizes, sizes.heads.params
        self.jobs: list[Job] = []
        self.attention: list[dict[str, int]] = []  # of attention jobs, "descriptor" being their number
        self._waiting: Job | None = None

    def cut(self, layer: StoredLinear, n: int, first: int = 0, end: int | None = None) -> list[Tile]:
        """Jobs of channels from ``first`` to ``end`` of n rows."""
        n_channels = (layer.n_channels if end is None else end) - first
        cut = tiles(n, n_channels, layer.n_inputs, layer.bits, self.params, self._rows_at_once(n), CHANNELS)
        return [replace(tile, channel=first + tile.channel) for tile in cut]

    def run(
        self,
        layer: StoredLinear,
        source: str,
        sink: str,
        n: int,
        norm: tuple[Norm, int] | None = None,
        **channels: int,
    ) -> None:
        """A linear layer of n rows, or some of its channels as for :meth:`cut`, and the norm behind it."""
        for row, of_rows in groupby(self.cut(layer, n, **channels), lambda tile: tile.row):
            for tile in of_rows:
                self._add(self._linear(layer, tile, source, sink))
            if norm:
                self.norm(norm, row, tile.n_rows, reads=True)

    def norm(self, norm: tuple[Norm, int], row: int, n: int, reads: bool) -> None:
        """A norm of some rows, beside the job that follows if that has nothing to do with them.

        reads : it adds the words of a linear layer.
        """
        job, scales = norm
        rows, y, x = (self.buffers[name].at(row) for name in ("rows", "y", "x"))
        fields = {
            "rows": n, "features": self.sizes.features, "a": job.a, "b": job.b * reads, "epsilon": job.epsilon,
            "rms": job.rms, "pre_norm": job.words is None, "words": 1, "operands": job.operands is not None,
            **job.shifts, "x_row_stride": rows.stride, "y_row_stride": y.stride, "words_row_stride": rows.stride,
            "planes_row_stride": x.stride, "x_address": rows.offset, "y_address": y.offset, "scales_address": scales,
            "words_address": rows.offset, "integer_address": x.offset, "fraction_address": x.fraction,
        }  # fmt: skip
        uses = tuple((name, row, row + n) for name in ("x", "y"))
        self.finish()
        self._waiting = Job("norm", uses=uses, norm=fields)

    def attend(self, layer: Attention, n_queries: int) -> None:
        """Attention of so many queries."""
        heads, settings = self.sizes.heads, layer.settings
        query, value, context = (self.buffers[name] for name in ("query_key", "value", "context"))
        key = query.at(0, heads.number * heads.key // 2)
        mode = {name: int(getattr(settings, name)) for name in ("rule", "causal", "compensate", "mean_output")}
        words = {
            "MODE": BY_NAME["MODE"].pack(**mode, planes=1, table_enable=bool(layer.table)),
            **counts(heads.number, n_queries, self.n, heads.dim),
            **dict(zip(ENTRY_REGISTERS, table_entry(settings))),
            **strides("Q", query, heads.key // 2),
            **strides("K", key, heads.key // 2),
            **strides("VALUE", value, heads.value),
            **strides("OUTPUT", context, heads.context // 2),
        }
        table = layer.table + (self.n - 1) * layer.stride
        addresses = {"table": table} if table else {}
        for name, rows in (("q", query), ("k", key)):
            addresses |= {f"{name}_integer": rows.offset, f"{name}_fraction": rows.fraction}
        addresses |= {"value": value.offset, "output": context.offset, "output_fraction": context.fraction}
        self._add(Job("attention", words, addresses))
        entry = {"queries": n_queries == self.n, "table": layer.table, "table_stride": layer.stride}
        self.attention.append({"descriptor": len(self.jobs) - 1} | entry)

    def entries(self, first: int) -> list[dict[str, int]]:
        """``{field of ATTENTION_FIELDS: value}`` of attention jobs; first : offset of the first job's descriptor."""
        return [each | {"descriptor": first + DESCRIPTOR_BYTES * each["descriptor"]} for each in self.attention]

    def finish(self) -> None:
        """A norm that waits becomes a job of its own."""
        if self._waiting:
            self.jobs.append(self._waiting)
            self._waiting = None

    def _rows_at_once(self, n: int) -> int:
        """Of n rows those of a job: half of them, so that their norm can run beside the job of the others.

        Each job reads all weights; of one with the least rows that takes half the time of its products.
        """
        params = self.params
        half = ceil_div(n, 2 * params.tile) * params.tile
        return max(half, ceil_div(2 * params.n_cores * params.tile**2 * params.slice_width, params.bus_bytes))

    def _add(self, job: Job) -> None:
        if self._waiting and job.kind == "linear" and not job.meets(self._waiting.uses):
            job, self._waiting = replace(job, norm=self._waiting.norm), None
        self.finish()
        self.jobs.append(job)

    def _linear(self, layer: StoredLinear, tile: Tile, source: str, sink: str) -> Job:
        params, n, channel = self.params, tile.n_channels, tile.channel
        x, y = self.buffers[source].at(tile.row), self.buffers[sink].at(tile.row, channel * layer.bits // 8)
        weights = Rows(layer.integer, row_bytes("k_integer", layer.n_inputs, params), layer.fraction).at(channel)
        scales = Rows(layer.scales, row_bytes("value", SCALES_BYTES, params)).at(channel)
        kinds = {"words": layer.bits == 16, "planes": layer.bits == 4}
        words = {
            "MODE": BY_NAME["MODE"].pack(rule=Rule.DENSE, linear=1, activation=layer.activation, **kinds),
            **counts(tile.n_heads, tile.n_rows, n, layer.n_inputs),
            **strides("Q", x, 0),
            **strides("K", weights, n * weights.stride),
            **strides("VALUE", scales, n * scales.stride),
            **strides("OUTPUT", y, n * layer.bits // 8),
        }
        addresses = {"q_integer": x.offset, "q_fraction": x.fraction, "value": scales.offset, "output": y.offset}
        addresses |= {"k_integer": weights.offset, "k_fraction": weights.fraction}
        addresses |= {"table": layer.table} if layer.table else {}
        addresses |= {"output_fraction": y.fraction} if layer.bits == 4 else {}
        rows = tile.row, tile.row + tile.n_rows
        return Job("linear", words, addresses, ((source, *rows), (sink, *rows)))


def counts(n_heads: int, n_q: int, n_k: int, head_dim: int) -> dict[str, int]:
    """``{register: word}``; each head has keys and values of its own."""
    return {"N_HEADS": n_heads, "N_KV_HEADS": n_heads, "N_Q": n_q, "N_K": n_k, "HEAD_DIM": head_dim}


def strides(name: str, rows: Rows, head_stride: int) -> dict[str, int]:
    """``{register: word}``."""
    return {f"{name}_ROW_STRIDE": rows.stride, f"{name}_HEAD_STRIDE": head_stride}
