"""What the predictor's stages hand on, in memories of a few rows that stages fill and read in turn."""

from amaranth.hdl import Cat, Mux, Signal, signed, unsigned
from amaranth.lib import data

from hdp_hw.rtl.common.layouts import turn_layout, turn_row_layout
from hdp_hw.rtl.common.pipeline import adder_tree, delay, register
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.rtl.pruning.row_statistics import theta_sum_width
from hdp_hw.spec.timing import PREDICTOR_ROWS

READ_LATENCY = 2  #: clock cycles of a memory with a register behind it


def block_memory(shape, rows, params):
    """A memory that holds a word per block of ``rows`` block rows, a power of two."""
    return separate_memory(shape, min(rows, 1 << params.block_width) << params.block_width)


def turn_memory(shape, rows, params):
    """A memory that holds a word per turn of the blocks of ``rows`` block rows."""
    depth = min(rows, 1 << params.block_width) << params.block_width
    return separate_memory(shape, depth * params.predictor_turns)


def block_address(block, rows):
    """Address of a ``block`` (position) in a block memory: rows take turns."""
    return Cat(block.column, block.row[: log2(rows)])


def turn_address(block, rows, params):
    """Address of the turn that a ``block`` (position) is at in a turn memory."""
    return Cat(block.turn[: log2(params.predictor_turns)], block_address(block, rows))


def maxima_address(block, params):
    """Address of the largest scores of a turn's query rows, in a memory of them for ``PREDICTOR_ROWS`` block rows."""
    return Cat(block.turn[: log2(params.predictor_turns)], block.row[: log2(PREDICTOR_ROWS)])


def read_memory(m, memory, address, name):
    """What ``memory`` holds at ``address``, ``READ_LATENCY`` clock cycles late."""
    port = memory.read_port()
    m.d.comb += port.addr.eq(address)
    return delay(m, port.data, READ_LATENCY - 1, name, reset_less=True)


def position_layout(params):
    """The block that a stage is at, and in which turn; ``first``, ``last`` : block of its row, ``last_turn`` : of the
    block. They imply ``valid``."""
    flags = dict.fromkeys(("valid", "first", "last", "last_turn", "last_row"), unsigned(1))
    block = {"turn": params.turn_width, "column": params.block_width, "row": params.block_width}
    return data.StructLayout(flags | block)


def block_position(m, pacer, params, name):
    """The position of ``pacer``."""
    position = Signal(position_layout(params), name=f"position_{name}")
    m.d.comb += [
        position.valid.eq(pacer.o_valid),
        position.first.eq(pacer.o_first),
        position.last.eq(pacer.o_last),
        position.last_turn.eq(pacer.o_valid & (pacer.o_turn == params.predictor_turns - 1)),
        position.last_row.eq(pacer.o.last_row),
        position.turn.eq(pacer.o_turn),
        position.column.eq(pacer.o_column),
        position.row.eq(pacer.o.row),
    ]
    return position


def take_turns(m, valid, place, a, elements, params):
    """The query rows of the tile that came with ``valid``, turn by turn: ``(position, scores and valid elements)``.

    place : ``{field of position_layout: signal}`` of the tile; a, elements : its scores, and which of them are valid.
    The first turn is in the clock cycle after ``valid``.
    """
    turns, rows = range(params.predictor_turns), params.predictor_rows
    held = [Signal(scores_layout(params), name=f"held_{k}", reset_less=True) for k in turns]
    for k in turns:
        of_turn = slice(k * rows, (k + 1) * rows)
        coming = Signal(scores_layout(params), name=f"coming_{k}")
        m.d.comb += [
            *(to.eq(score) for to, score in zip(coming.a, list(a)[of_turn])),
            *(to.eq(element) for to, element in zip(coming.elements, list(elements)[of_turn])),
        ]
        # Those of later turns move up; what follows on the last does not matter.
        m.d.sync += held[k].eq(Mux(valid, coming, held[k + 1]) if k + 1 in turns else coming)

    tile = Signal(position_layout(params))
    left = Signal(len(turns))  # a bit for each turn that is still to come, this one included
    m.d.sync += [left.eq(Mux(valid, (1 << len(turns)) - 1, left >> 1)), tile.turn.eq(tile.turn + 1)]
    with m.If(valid):
        m.d.sync += [tile.turn.eq(0), *(tile[name].eq(value) for name, value in place.items())]
    position = Signal(tile.shape())
    m.d.comb += [
        position.eq(tile),
        position.valid.eq(left[0]),
        position.first.eq(left[0] & tile.first),
        position.last.eq(left[0] & tile.last),
        position.last_turn.eq(left == 1),
    ]
    return position, held[0]


def complete_sums(m, tile, addends, width, params):
    """Sums of ``addends`` over a row's tiles, of each query row of a turn, a clock cycle after the last tile."""
    complete = []
    for r in range(params.predictor_rows):
        ring = [Signal(width, name=f"z_{r}_{k}") for k in range(params.predictor_turns)]
        z = Signal(width, name=f"z_{r}")
        m.d.comb += z.eq(ring[-1] + addends[r])
        turn_ring(m, tile.valid, ring, Mux(tile.last, 0, z))
        complete.append(register(m, z, f"complete_z_{r}"))
    return complete


def turn_ring(m, valid, ring, value):
    """Let ``value`` enter a ring, in which query rows' sums wait for their next turns, with ``valid``."""
    with m.If(valid):
        m.d.sync += [to.eq(what) for to, what in zip(ring, [value, *ring])]


def score_sums(m, turn, params):
    """Sums of each query row's valid scores of a turn, ``1 + tree_latency(params.tile)`` clock cycles late."""
    sums = []
    for r in range(params.predictor_rows):
        valid = [Mux(element, a, 0) for element, a in zip(turn.elements[r], turn.a[r])]
        terms = [register(m, term, f"score_{r}_{c}") for c, term in enumerate(valid)]
        sums.append(adder_tree(m, terms, name=f"score_sum_{r}"))
    return sums


def scores_layout(params):
    """Scores of a turn, and which of them are valid."""
    return data.StructLayout(
        {"a": turn_layout(signed(params.a_width), params), "elements": turn_layout(unsigned(1), params)}
    )


def statistics_layout(params):
    """What stage A finds of a block row."""
    return data.StructLayout({"theta_sum": unsigned(theta_sum_width(params)), "n_b": unsigned(params.n_blocks_width)})


def score_sums_layout(params):
    """Sums of a block's scores, one for each query row of a turn."""
    return turn_row_layout(signed(params.a_width + log2(params.tile)), params)
