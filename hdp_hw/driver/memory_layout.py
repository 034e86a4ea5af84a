"""Where a job's matrices lie in the buffer, and how they are packed there.

A row of a Q or K plane is words of ``lanes`` digits, digit i at bits [w*i +: w]; a row of V is words of ``lanes / 2``
operands; what lies beyond the head dimension is zero. Each row, of O too, is padded to whole bus words.

Of a linear layer all heads read the same rows, a row of V is a word that begins with a channel's scales, and the heads'
results lie side by side in the rows of the output.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.backend import HeadRecord, LayerJob, LayerRun
from hdp_hw.driver.errors import HdpError
from hdp_hw.driver.norm_layout import norm_extents, pack_norm, unpack_norm
from hdp_hw.driver.operands import Integers, digits_of, unpack_digits
from hdp_hw.spec.encoder import SCALES_BYTES, TABLE_BYTES
from hdp_hw.spec.formats import (
    ADDRESSES,
    DESCRIPTOR_BYTES,
    ENTRY_BYTES,
    ENTRY_WORDS,
    RECORD_BYTES,
    RECORD_FIELDS,
    REGION_ALIGNMENT,
    SHARED_PLANES,
    SLICES_PER_WORD,
    UNWRITTEN,
    entry_fields,
    stream_of,
)
from hdp_hw.spec.params import HdpParams, ceil_div
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.registers import WORD_BYTES
from hdp_hw.spec.settings import HeadSettings, Verdict

Bytes = NDArray[np.uint8]
OUTPUTS = ("output", "output_fraction")  #: regions that results go to

#: Fields of HeadSettings that the register MODE has.
MODES = tuple(field.name for field in BY_NAME["MODE"].fields if hasattr(HeadSettings, field.name))
#: Of a record; what is no number of the processor's is bytes.
RECORD = np.dtype([(name, f"<u{bits // 8}" if bits <= 64 else f"V{bits // 8}") for name, bits in RECORD_FIELDS.items()])


# -- the map ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Region:
    """A part of the buffer: bytes from the buffer's first to its first, between rows, between heads, and in all."""

    offset: int
    row_stride: int
    head_stride: int
    n_bytes: int


@dataclass(frozen=True)
class JobLayout:
    """Regions of a job by the names of their address registers, in lower case, and the bytes that they take."""

    regions: dict[str, Region]
    size: int

    @classmethod
    def of(cls, job: LayerJob, params: HdpParams) -> "JobLayout":
        """The layout of a LayerJob."""
        extents = {}  # bytes between rows, between heads, and in all
        of_heads = (*ADDRESSES, "output_fraction") if job.planes else ADDRESSES
        for name in of_heads if job.settings else ():
            heads, rows, n_bytes = (_linear_extent if job.linear else _extent)(name, job, params)
            head_stride = rows * n_bytes
            if job.linear and heads == 1:  # all heads read it, or have their part of each row of it
                head_stride = _result_bytes(job) if name in OUTPUTS else 0
            extents[name] = n_bytes, head_stride, heads * rows * n_bytes
        if job.norm:
            of_norm = norm_extents(job.norm, params)
            extents |= {name: (n_bytes, 0, rows * n_bytes) for name, (rows, n_bytes) in of_norm.items()}
        regions, offset = {}, 0
        for name, extent in extents.items():
            regions[name] = Region(offset, *extent)
            offset += ceil_div(extent[-1], REGION_ALIGNMENT) * REGION_ALIGNMENT
        return cls(regions, offset)


def _extent(name: str, job: LayerJob, params: HdpParams) -> tuple[int, int, int]:
    """``(heads, rows of each, bytes of a row)`` of a region of attention."""
    (n_heads, n_q, d), (n_kv_heads, n_k, _) = job.q.shape, job.k.shape
    heads, rows = (n_kv_heads, n_k) if name in SHARED_PLANES else (n_heads, n_q)
    if job.planes and name in OUTPUTS:
        return heads, rows, row_bytes("output", ceil_div(d, 2), params)
    return heads, 1 if name in ("table", "record") else rows, row_bytes(name, d, params)


def _linear_extent(name: str, job: LayerJob, params: HdpParams) -> tuple[int, int, int]:
    """The same of a linear layer."""
    n_heads, n_k, d = job.k.shape
    if name == "table":
        return 1, 1, TABLE_BYTES
    if name == "record":
        return n_heads, 1, RECORD_BYTES
    if name in SHARED_PLANES:
        return n_heads, n_k, row_bytes(name, SCALES_BYTES if name == "value" else d, params)
    if name in OUTPUTS:
        return 1, job.q.shape[1], row_bytes("output", n_heads * _result_bytes(job), params)
    return 1, job.q.shape[1], row_bytes(name, d, params)


def _result_bytes(job: LayerJob) -> int:
    """Bytes that a head of a linear layer has in each row of the output, or of a plane of it."""
    n_k = job.k.shape[1]
    return n_k // 2 if job.planes else n_k * (1 + job.settings[0].words)


def row_bytes(name: str, head_dim: int, params: HdpParams) -> int:
    """Bytes of a row of a matrix, which begins with a bus word; or of a head's table entry or record."""
    if name in ("table", "record"):
        return {"table": ENTRY_BYTES, "record": RECORD_BYTES}[name]
    bits = head_dim * params.operand_width
    if name != "output":
        words = ceil_div(params.slices(head_dim), SLICES_PER_WORD[stream_of(name)])
        bits = words * params.word_width
    return ceil_div(bits, params.bus_width) * params.bus_bytes


# -- into the buffer --------------------------------------------------------------------------------------------------
def pack_job(job: LayerJob, params: HdpParams, base: int = 0) -> dict[str, Bytes]:
    """``{region: uint8 [bytes]}`` of what the co-processor reads, and of records that are not yet written.

    base : address of the buffer, which a norm's descriptor refers to.
    """
    of_norm = pack_norm(job.norm, JobLayout.of(job, params).regions, base) if job.norm else {}
    return (_pack_heads(job, params) if job.settings else {}) | of_norm


def _pack_heads(job: LayerJob, params: HdpParams) -> dict[str, Bytes]:
    """The same without the norm."""
    d = job.q.shape[-1]
    packed: dict[str, Bytes] = {}
    for name, matrix in (("q", job.q), ("k", job.k)):
        for part, plane in zip(("integer", "fraction"), digits_of(matrix, params)):
            packed[f"{name}_{part}"] = pack_rows(plane, params.digit_width, row_bytes(f"{name}_{part}", d, params))
    packed["value"] = pack_rows(job.v, params.operand_width, row_bytes("value", job.v.shape[-1], params))
    if job.linear:
        packed["table"] = np.asarray([] if job.table is None else job.table, "<i2").view(np.uint8)
    else:
        packed["table"] = np.array([table_entry(settings) for settings in job.settings], "<u4").view(np.uint8)
    packed["record"] = np.full(len(job.settings) * RECORD_BYTES, UNWRITTEN, np.uint8)
    return {name: content.reshape(-1) for name, content in packed.items()}


def pack_rows(matrix: Integers, width: int, n_bytes: int) -> Bytes:
    """uint8 [..., n, n_bytes] of integers [..., n, d] of ``width`` bits, 4, 8 or 16: element 0 lowest, then zeros."""
    rows = np.zeros((*matrix.shape[:-1], n_bytes * 8 // width), np.int64)
    rows[..., : matrix.shape[-1]] = matrix
    if width == 4:
        return (rows[..., ::2] & 15 | (rows[..., 1::2] & 15) << 4).astype(np.uint8)
    return rows.astype(f"<i{width // 8}").view(np.uint8)


def descriptor(words: dict[str, int]) -> Bytes:
    """uint8 [DESCRIPTOR_BYTES] of ``{register: word}`` of a job, for the job whose CHAIN it is."""
    packed = np.zeros(DESCRIPTOR_BYTES // WORD_BYTES, "<u4")
    for name, word in words.items():
        packed[(BY_NAME[name].address - BY_NAME["JOB_ID"].address) // WORD_BYTES] = word
    return packed.view(np.uint8)


def table_entry(settings: HeadSettings) -> list[int]:
    """The words of a head's table entry; the first are the registers ENTRY_REGISTERS."""
    words = [0] * ENTRY_WORDS
    for name, field in entry_fields().items():
        words[field.word] |= (int(getattr(settings, name)) & ((1 << field.width) - 1)) << field.low
    return words


# -- out of the buffer ------------------------------------------------------------------------------------------------
def unpack_output(job: LayerJob, params: HdpParams, content: Bytes, fraction: Bytes | None = None) -> Integers:
    """The output of a LayerRun, of the bytes of the region ``output`` and, of digit planes, ``output_fraction``."""
    n_heads, n_q, d = job.q.shape
    if fraction is not None:
        rows = (unpack_digits(content) << params.digit_width) + unpack_digits(fraction)
        if job.linear:
            return rows.reshape(n_q, -1)[:, : len(job.settings) * job.settings[0].n_k]
        return rows.reshape(n_heads, n_q, -1)[..., :d]
    if job.linear:
        results = np.ascontiguousarray(content).view("<i2" if job.settings[0].words else "i1").reshape(n_q, -1)
        return results[:, : len(job.settings) * job.settings[0].n_k].astype(np.int64)
    rows = np.ascontiguousarray(content).view(f"<i{params.operand_width // 8}")
    return rows.reshape(n_heads, n_q, -1)[..., :d].astype(np.int64)


def unpack_run(
    job: LayerJob, params: HdpParams, read: Callable[[str], Bytes], counters: dict[str, int] | None = None
) -> LayerRun:
    """LayerRun of a LayerJob, of the bytes of its regions, which ``read(region)`` gives. Raises HdpError."""
    norm = unpack_norm(job.norm, read) if job.norm else None
    if not job.settings:
        return LayerRun(job.q, (), counters or {}, norm)
    output = unpack_output(job, params, *(read(name) for name in (OUTPUTS if job.planes else OUTPUTS[:1])))
    return LayerRun(output, unpack_records(read("record")), counters or {}, norm)


def unpack_records(content: Bytes) -> tuple[HeadRecord, ...]:
    """HeadRecord of each head, of the bytes of the region ``record``. Raises HdpError if one was not written."""
    records = np.ascontiguousarray(content).view(RECORD)
    for head, record in enumerate(records):
        if record["head"] != head or record["verdict"] not in list(Verdict):
            raise HdpError(
                f"the co-processor has not written the record of head {head}: {record.tobytes().hex(' ', 4)}"
            )
    return tuple(
        HeadRecord(Verdict(int(r["verdict"])), int(r["n_visited"]), int(r["n_kept"]), int(r["theta_head"]))
        for r in records
    )
