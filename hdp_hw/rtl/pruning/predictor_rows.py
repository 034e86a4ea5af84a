"""What the predictor's stages hand on, in memories of a few rows that stages fill and read in turn."""

from amaranth.hdl import Cat, Signal, signed, unsigned
from amaranth.lib import data

from hdp_hw.rtl.common.layouts import row_layout, tile_layout
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.rtl.pruning.block_distance import DISTANCE_WIDTH
from hdp_hw.rtl.pruning.row_statistics import theta_sum_width

READ_LATENCY = 2  #: clock cycles of a memory with a register behind it


def memory_depth(params, rows):
    """Words of a memory that holds a word per block of ``rows`` block rows, a power of two."""
    return min(rows, 1 << params.block_width) << params.block_width


def row_address(row, column, rows):
    """Address in such a memory: rows take turns."""
    return Cat(column, row[: log2(rows)])


def read_memory(m, memory, address, name):
    """What ``memory`` holds at ``address``, ``READ_LATENCY`` clock cycles late."""
    port = memory.read_port()
    m.d.comb += port.addr.eq(address)
    return delay(m, port.data, READ_LATENCY - 1, name)


def block_position(m, pacer, cycles, name):
    """The block that ``pacer`` is at, ``cycles`` clock cycles late; ``first`` and ``last`` imply ``valid``."""
    flags = dict.fromkeys(("valid", "first", "last", "last_row"), unsigned(1))
    block = {"row": pacer.o.row.shape(), "column": pacer.o_column.shape()}
    position = Signal(data.StructLayout(flags | block), name=f"position_{name}")
    m.d.comb += [
        position.valid.eq(pacer.o_valid),
        position.first.eq(pacer.o_first),
        position.last.eq(pacer.o_last),
        position.last_row.eq(pacer.o.last_row),
        position.row.eq(pacer.o.row),
        position.column.eq(pacer.o_column),
    ]
    return delay(m, position, cycles, f"position_{name}")


def scores_layout(params):
    """Scores of a tile, and which of them are valid."""
    return data.StructLayout(
        {"a": tile_layout(signed(params.a_width), params), "elements": tile_layout(unsigned(1), params)}
    )


def statistics_layout(params):
    """What stage A finds of a block row."""
    return data.StructLayout(
        {
            "row_max": row_layout(signed(params.a_width), params),
            "theta_max": unsigned(params.theta_width),
            "theta_min": unsigned(params.theta_width),
            "theta_sum": unsigned(theta_sum_width(params)),
            "n_b": unsigned(params.n_blocks_width),
        }
    )


def findings_layout(params):
    """What stage B finds of a block."""
    return data.StructLayout({"distance": row_layout(unsigned(DISTANCE_WIDTH), params), "above": unsigned(1)})


def score_sums_layout(params):
    """Sums of a tile's pruned scores, one for each query row."""
    return row_layout(signed(params.a_width + log2(params.tile)), params)
