"""Records that travel inside the shell."""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.spec.formats import (
    ADDRESSES,
    DESCRIPTOR_BYTES,
    ENCODER_ADDRESSES,
    ENTRY_BYTES,
    MATRICES,
    NORM_FIELDS,
    RECORD_BYTES,
    RECORD_FIELDS,
    STRIDE_NAMES,
    STRIDE_WIDTH,
    entry_fields,
)
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.registers import WORD_BYTES


def segment_layout(params):
    """Rows of one plane to deliver to the core.

    address : of the first row, bytes, a multiple of the bus word; row_stride : bytes between rows, likewise;
    n_rows : at least 1; words : core words of a row; zero : deliver zeros and read nothing; key : 1 for K; last : the
    plane ends.
    """
    return data.StructLayout(
        {
            "address": unsigned(params.address_width),
            "row_stride": unsigned(STRIDE_WIDTH),
            "n_rows": unsigned(params.seq_width),
            "words": unsigned(params.slice_index_width),
            "zero": unsigned(1),
            "key": unsigned(1),
            "last": unsigned(1),
        }
    )


def beat_layout(params, out_lanes=None):
    """Operands on their way to a writer, as many as a core gives in a beat unless told; ``last`` of a head."""
    operands = data.ArrayLayout(signed(params.operand_width), out_lanes or params.out_lanes)
    return data.StructLayout({"data": operands, "last": unsigned(1)})


def target_layout(params):
    """Where rows go: address, row_stride : as in a segment; beats : of a row."""
    return data.StructLayout({**plane_layout(params).members, "beats": unsigned(params.dim_width)})


def output_layout(params, n_targets=1):
    """Where the rows of an output go: each in turn to the targets up to ``last``; n_rows : of each target."""
    return data.StructLayout(
        {
            "targets": data.ArrayLayout(target_layout(params), n_targets),
            "last": unsigned(bits_for(n_targets - 1)),
            "n_rows": unsigned(params.seq_width),
        }
    )


def record_layout(params):
    """What is written after a head's rows.

    enable : a record is written at all; address : its first byte, a multiple of the bus word; record : its 32 bytes,
    little-endian.
    """
    return data.StructLayout(
        {"address": unsigned(params.address_width), "enable": unsigned(1), "record": unsigned(8 * RECORD_BYTES)}
    )


def plane_layout(params):
    """Where one operand of a head lies: address of its first row, and bytes between rows."""
    return data.StructLayout({"address": unsigned(params.address_width), "row_stride": unsigned(STRIDE_WIDTH)})


def head_command_layout(params):
    """One head of a job, with all addresses resolved, on its way to a lane.

    head : its number in the job; record : address of its record, which is written when record_enable. With ``encoder``,
    planes : its output is digit planes, the fraction digits at output_fraction.
    """
    planes = {"planes": unsigned(1), "output_fraction": unsigned(params.address_width)}
    return data.StructLayout(
        {
            "settings": settings_layout(params),
            **{name: plane_layout(params) for name in MATRICES},
            **(planes if params.encoder else {}),
            "head": unsigned(16),
            "record": unsigned(params.address_width),
            "record_enable": unsigned(1),
        }
    )


def head_record_layout():
    """The 32 bytes that a lane writes for a head: its number, how it ended, blocks visited and kept, sum of |A|."""
    return data.StructLayout(RECORD_FIELDS)


def result_layout(params):
    """How a head ended, after the last write of its output was acknowledged."""
    return data.StructLayout(
        {
            "head": unsigned(16),
            "verdict": unsigned(3),
            "error": unsigned(3),
            "n_visited": unsigned(params.count_width),
            "n_kept": unsigned(params.count_width),
        }
    )


def thresholds_layout():
    """Scales and thresholds of a head, raw: the fields of its entry in the table."""
    return data.StructLayout({name: Shape(field.width, field.signed) for name, field in entry_fields().items()})


def entry_layout():
    """The same fields where they lie in an entry of the table."""
    places = {name: 8 * WORD_BYTES * field.word + field.low for name, field in entry_fields().items()}
    return data.FlexibleLayout(
        8 * ENTRY_BYTES, {name: data.Field(shape, places[name]) for name, shape in thresholds_layout().members.items()}
    )


def norm_layout():
    """A norm's descriptor, which :data:`hdp_hw.spec.formats.NORM_FIELDS` defines."""
    return data.StructLayout({name: unsigned(width) for name, width in NORM_FIELDS.items()})


def norm_end_layout():
    """What NormLane tells of a norm, each for one clock cycle: it is written; its descriptor was refused."""
    return data.StructLayout({name: unsigned(1) for name in ("done", "bad_settings", "misaligned")})


def load_layout():
    """A word of a job's descriptor on its way to the job registers: number of the word, and the word."""
    return data.StructLayout({"index": unsigned(bits_for(DESCRIPTOR_BYTES // WORD_BYTES - 1)), "word": unsigned(32)})


def job_addresses(params):
    """What a job names by address."""
    return ADDRESSES + ENCODER_ADDRESSES if params.encoder else ADDRESSES


def job_layout(params):
    """A job as its registers describe it; raw values, not yet checked."""
    word = unsigned(32)
    count = unsigned(16)
    return data.StructLayout(
        {
            "job_id": count,
            **{name: unsigned(width) for name, width in (("rule", 2), ("causal", 1), ("compensate", 1))},
            **{name: unsigned(1) for name in ("mean_output", "table_enable", "record_enable", "linear", "words")},
            "activation": unsigned(2),
            "planes": unsigned(1),
            **{name: count for name in ("n_heads", "n_kv_heads", "n_q", "n_k", "head_dim")},
            "timeout": word,
            "thresholds": thresholds_layout(),
            **{name: unsigned(64) for name in job_addresses(params)},
            **{f"{name}_{what}_stride": word for name in STRIDE_NAMES for what in ("row", "head")},
        }
    )
