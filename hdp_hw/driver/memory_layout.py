"""Where a job's matrices lie in the buffer, and how they are packed there.

A row of a Q or K plane is words of ``lanes`` digits, digit i at bits [w*i +: w]; a row of V is words of ``lanes / 2``
operands; what lies beyond the head dimension is zero. Each row, of O too, is padded to whole bus words.
"""

from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.backend import HeadRecord
from hdp_hw.driver.errors import HdpError
from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.bits.shell.plane_reader import row_beats
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import Verdict

ALIGNMENT = 256  #: of a region, in bytes: the longest burst on the widest bus
RECORD = np.dtype(
    [
        ("head", "<u2"),
        ("verdict", "u1"),
        ("error", "u1"),
        ("n_visited", "<u4"),
        ("n_kept", "<u4"),
        ("theta_head", "<u8"),
        ("reserved", "V12"),
    ]
)
ENTRY = ("SCALE", "MARGIN", "MASS", "TAU_HEAD", "MIN_KEEP")  #: registers that are the first words of a table entry
ENTRY_WORDS = 8
UNWRITTEN = 0xFF  #: bytes of a record before the co-processor writes it


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

    regions: dict
    size: int

    @classmethod
    def of(cls, job, params):
        """The layout of a LayerJob."""
        (n_heads, n_q, d), (n_kv_heads, n_k, _) = job.q.shape, job.k.shape
        digits, value, output = row_bytes(d, params)
        shapes = {
            "q_integer": (n_heads, n_q, digits),
            "k_integer": (n_kv_heads, n_k, digits),
            "q_fraction": (n_heads, n_q, digits),
            "k_fraction": (n_kv_heads, n_k, digits),
            "value": (n_kv_heads, n_k, value),
            "table": (n_heads, 1, 4 * ENTRY_WORDS),
            "record": (n_heads, 1, RECORD.itemsize),
            "output": (n_heads, n_q, output),
        }
        regions, offset = {}, 0
        for name, (heads, rows, n_bytes) in shapes.items():
            regions[name] = Region(offset, n_bytes, rows * n_bytes, heads * rows * n_bytes)
            offset += ceil_div(heads * rows * n_bytes, ALIGNMENT) * ALIGNMENT
        return cls(regions, offset)


def row_bytes(head_dim, params):
    """Bytes of a row of digits, of V and of O."""
    slices = params.slices(head_dim)
    beats = row_beats(ceil_div(slices, 4), params), row_beats(ceil_div(slices, 2), params)
    return (
        *(n * params.bus_bytes for n in beats),
        ceil_div(head_dim * params.operand_width, params.bus_width) * params.bus_bytes,
    )


# -- into the buffer --------------------------------------------------------------------------------------------------
def pack_job(job, params):
    """``{region: uint8 [bytes]}`` of what the co-processor reads, and of records that are not yet written."""
    digits, value, _ = row_bytes(job.q.shape[-1], params)
    packed = {}
    for name, matrix in (("q", job.q), ("k", job.k)):
        for part, plane in zip(("integer", "fraction"), split(matrix, params.digit_width)):
            packed[f"{name}_{part}"] = pack_rows(plane, params.digit_width, digits)
    packed["value"] = pack_rows(job.v, params.operand_width, value)
    packed["table"] = np.array([table_entry(settings) for settings in job.settings], "<u4").view(np.uint8)
    packed["record"] = np.full(len(job.settings) * RECORD.itemsize, UNWRITTEN, np.uint8)
    return {name: content.reshape(-1) for name, content in packed.items()}


def pack_rows(matrix, width, n_bytes):
    """uint8 [..., n, n_bytes] of integers [..., n, d] of ``width`` bits, 4, 8 or 16: element 0 lowest, then zeros."""
    rows = np.zeros((*matrix.shape[:-1], n_bytes * 8 // width), np.int64)
    rows[..., : matrix.shape[-1]] = matrix
    if width == 4:
        return (rows[..., ::2] & 15 | (rows[..., 1::2] & 15) << 4).astype(np.uint8)
    return rows.astype(f"<i{width // 8}").view(np.uint8)


def table_entry(settings):
    """The words of a head's table entry; the first are the registers ENTRY."""
    values = {
        "SCALE": {"mult": settings.mult, "shift": settings.shift, "rho": settings.rho},
        "MARGIN": {"value": settings.margin},
        "MASS": {"kappa": settings.kappa, "kappa_shift": settings.kappa_shift, "log_mass": settings.log_mass},
        "TAU_HEAD": {"value": settings.tau_head},
        "MIN_KEEP": {"value": settings.min_keep},
    }
    words = [BY_NAME[name].pack(**values[name]) for name in ENTRY]
    return words + [0] * (ENTRY_WORDS - len(words))


# -- out of the buffer ------------------------------------------------------------------------------------------------
def unpack_output(content, job, params):
    """int64 [n_heads, n_q, d] of the bytes of the region ``output``."""
    n_heads, n_q, d = job.q.shape
    rows = np.ascontiguousarray(content).view(f"<i{params.operand_width // 8}")
    return rows.reshape(n_heads, n_q, -1)[..., :d].astype(np.int64)


def unpack_records(content):
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
