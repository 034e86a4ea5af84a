"""Formats that hardware, golden model, driver and C agree on: planes, words, table entries, records, the buffer.

Planes have one order everywhere: that of their address registers.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from hdp_hw.spec.depths import MAX_BURST_BEATS
from hdp_hw.spec.params import LEGAL_BUS_WIDTHS
from hdp_hw.spec.registers import WORD_BYTES

HEADS_INSIDE = 3  #: heads inside a core: one executing, one predicted, one loading

# -- planes -----------------------------------------------------------------------------------------------------------
STREAMS = ("integer", "fraction", "value")  #: by which operands enter a core: I planes, F planes, V
PLANES = ("q_integer", "q_fraction", "k_integer", "k_fraction", "value")  #: what is read of a head
MATRICES = (*PLANES, "output")  #: what has rows: operands and result
ADDRESSES = (*MATRICES, "table", "record")  #: what a job names by address, in the order of the address registers
#: What a job names besides if ``encoder`` = 1: see docs/registers.md.
ENCODER_ADDRESSES = ("output_fraction", "norm", "chain")
SHARED_PLANES = ("k_integer", "k_fraction", "value")  #: what several query heads may read

#: ``{matrix: name of the registers that hold its strides}``
STRIDES = {
    "q_integer": "q",
    "q_fraction": "q",
    "k_integer": "k",
    "k_fraction": "k",
    "value": "value",
    "output": "output",
}
STRIDE_WIDTH = 24  #: bits of a stride between rows, in bytes
STRIDE_NAMES = tuple(dict.fromkeys(STRIDES.values()))

#: ``{stream: slices in a core word}``: a word is ``lanes`` digits, or ``lanes / 2`` operands; a slice is ``lanes / 4``.
SLICES_PER_WORD = {"integer": 4, "fraction": 4, "value": 2}


def stream_of(plane: str) -> str:
    """The stream of a core that takes a plane."""
    return plane.rpartition("_")[2]


# -- a head's entry in the table of scales and thresholds -------------------------------------------------------------
class EntryField(NamedTuple):
    """Where a setting lies in an entry: number of the little-endian word, lowest bit in it, bits, whether signed."""

    word: int
    low: int
    width: int
    signed: bool


ENTRY_BYTES = 32  #: of which those behind the words of ENTRY_REGISTERS are zero
ENTRY_WORDS = ENTRY_BYTES // WORD_BYTES
#: Registers that are, bit for bit, the first words of an entry; their addresses are consecutive, too.
ENTRY_REGISTERS = ("SCALE", "MARGIN", "MASS", "TAU_HEAD", "MIN_KEEP")


@cache
def entry_fields() -> dict[str, EntryField]:
    """``{field of HeadSettings: EntryField}``, from the register map; what writes that map needs all else of this."""
    from hdp_hw.spec.register_map import BY_NAME

    return {
        name.lower() if field.name == "value" else field.name: EntryField(word, field.low, field.width, field.signed)
        for word, name in enumerate(ENTRY_REGISTERS)
        for field in BY_NAME[name].fields
    }


# -- a job's descriptor -----------------------------------------------------------------------------------------------
DESCRIPTOR_BYTES = 192  #: the job registers from JOB_ID to CHAIN, at the same distances; whole bus words


# -- a head's record --------------------------------------------------------------------------------------------------
#: ``{field: bits}``, little-endian from the first byte on: number of the head, Verdict, HeadError, blocks visited and
#: kept, sum of absolute integer scores.
RECORD_FIELDS = {"head": 16, "verdict": 8, "error": 8, "n_visited": 32, "n_kept": 32, "theta_head": 64, "reserved": 96}
RECORD_BYTES = sum(RECORD_FIELDS.values()) // 8
UNWRITTEN = 0xFF  #: bytes of a record before the co-processor writes it

# -- a norm's descriptor ----------------------------------------------------------------------------------------------
#: ``{field: bits}``, little-endian from the first byte on: shape, factors of the two streams, what is computed and
#: written, shifts behind gamma; then bytes between rows, and addresses. `reserved` is ignored.
NORM_FIELDS = {
    "rows": 16, "features": 16, "a": 16, "b": 16,
    "epsilon": 54, "rms": 1, "pre_norm": 1, "words": 1, "operands": 1, "reserved_0": 6,
    "shift": 8, "operand_shift": 8, "reserved_1": 16, "x_row_stride": 32,
    "y_row_stride": 32, "words_row_stride": 32, "planes_row_stride": 32, "reserved_2": 32,
    "scales_address": 64, "x_address": 64, "y_address": 64, "words_address": 64, "integer_address": 64,
    "fraction_address": 64, "reserved_3": 64,
}  # fmt: skip
NORM_BYTES = sum(NORM_FIELDS.values()) // 8
NORM_ADDRESSES = tuple(name for name in NORM_FIELDS if name.endswith("_address"))
NORM_STRIDES = tuple(name for name in NORM_FIELDS if name.endswith("_row_stride"))
NORM_SCALES = ("gamma", "beta", "operand_gamma", "operand_beta")  #: of a feature, words in this order
NORM_SCALES_BYTES = 8


# -- the buffer that the drivers lay out ------------------------------------------------------------------------------
REGION_ALIGNMENT = MAX_BURST_BEATS * max(LEGAL_BUS_WIDTHS) // 8  #: bytes: the longest burst on the widest bus


def packed(fields: Mapping[str, int], values: Mapping[str, int]) -> bytes:
    """Bytes, little-endian, of ``{field: bits}`` with these values, 0 for those not named; negative ones wrap."""
    total, low = 0, 0
    for name, width in fields.items():
        total |= (values.get(name, 0) & ((1 << width) - 1)) << low
        low += width
    return total.to_bytes(low // 8, "little")


def offsets(fields: Mapping[str, int]) -> dict[str, int]:
    """``{field: byte at which it begins}`` of ``{field: bits}``."""
    offsets, bits = dict[str, int](), 0
    for name, width in fields.items():
        offsets[name] = bits // 8
        bits += width
    return offsets
