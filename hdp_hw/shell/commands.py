"""Records that travel inside the shell."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from hdp_hw.common.layouts import settings_layout

STRIDE_WIDTH = 24  #: bits of a stride between rows, in bytes


def segment_layout(params):
    """Rows of one plane to deliver to the core.

    address : of the first row, bytes, a multiple of the bus word; row_stride : bytes between rows, likewise; n_rows :
    at least 1; words : core words of a row; zero : deliver zeros and read nothing; key : 1 for K; last : the plane ends.
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


def output_layout(params):
    """Where a head's output goes.

    address, row_stride : as in a segment; n_rows : queries; beats : core output beats of a row.
    """
    return data.StructLayout(
        {
            "address": unsigned(params.address_width),
            "row_stride": unsigned(STRIDE_WIDTH),
            "n_rows": unsigned(params.seq_width),
            "beats": unsigned(params.dim_width),
        }
    )


def plane_layout(params):
    """Where one operand of a head lies: address of its first row, and bytes between rows."""
    return data.StructLayout({"address": unsigned(params.address_width), "row_stride": unsigned(STRIDE_WIDTH)})


def head_command_layout(params):
    """One head of a job, with all addresses resolved, on its way to a lane."""
    planes = ("q_integer", "q_fraction", "k_integer", "k_fraction", "value", "output")
    return data.StructLayout(
        {"settings": settings_layout(params), **{name: plane_layout(params) for name in planes}, "head": unsigned(16)}
    )
