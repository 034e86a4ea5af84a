"""Proofs of the schedule: sequencer, waiting rows, the list of survivors."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Mux, Signal, Value

from hdp_hw.rtl.core.jobs import head_shape_layout, row_job_layout
from hdp_hw.rtl.core.row_queue import RowQueue
from hdp_hw.rtl.core.sequencer import Sequencer
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.spec.params import ArrayMode
from hdp_hw.spec.timing import QUEUE_DEPTH
from tb.formal.contract import FEW_BLOCKS, PARAMS, held, holds, past, stream_contract
from tb.formal.runner import prove

pytestmark = [pytest.mark.slow, pytest.mark.formal]


# -- the schedule -----------------------------------------------------------------------------------------------------
def sequencer(m, sequencer):
    """Every tile of every row that is taken has its micro-operations, once and in order, and nothing else has any."""
    op, head_shapes = sequencer.o_op, sequencer.i_shapes
    rows = {name: getattr(sequencer, f"i_{name}") for name in ("predict", "score", "context")}
    row, shape = Signal(row_job_layout(PARAMS)), Signal(head_shape_layout(PARAMS))
    kinds = Signal(len(rows))  # which of rows begins, or none
    for bit, (name, source) in enumerate(rows.items()):
        begins = source.valid & source.ready & ~source.payload.empty
        m.d.comb += Assume(source.payload.empty == (source.payload.n_tiles == 0))
        m.d.comb += [kinds[bit].eq(begins), Assert(~begins | (kinds == 1 << bit))]
        with m.If(begins):
            m.d.comb += row.eq(source.payload)
        m.d.comb += [Assume(source.payload.head < 3), Assume(source.payload.n_tiles <= 3), Assume(holds(m, source))]
        if name != "predict":
            sink = getattr(sequencer, f"o_{name}")
            m.d.comb += Assert((sink.valid & sink.ready) == (source.valid & source.ready))  # a row is passed on once
            m.d.comb += Assert(~sink.valid | (sink.payload == source.payload))
    m.d.comb += Assume(~rows["predict"].valid | ~rows["predict"].payload.empty)
    for head in range(3):
        with m.If(row.head == head):
            m.d.comb += shape.eq(head_shapes[head])
        for cycles in (head_shapes[head].integer, head_shapes[head].cross, head_shapes[head].slices):
            m.d.comb += Assume((cycles > 0) & (cycles <= 2))

    # The operation of this clock cycle, by counting: tiles, and steps of a tile; for the context, tiles of a slice.
    latency = sequencer.latency
    begins, running = past(m, kinds.any(), latency), Signal()
    held = {"row": Signal(row.shape()), "shape": Signal(shape.shape()), "kinds": Signal(len(kinds))}
    now = {"row": past(m, row, latency), "shape": past(m, shape, latency), "kinds": past(m, kinds, latency)}
    row, shape, kinds = (Signal(signal.shape(), name=f"{name}_now") for name, signal in held.items())
    for name, target in (("row", row), ("shape", shape), ("kinds", kinds)):
        m.d.comb += Value.cast(target).eq(Mux(begins, now[name], held[name]))
        m.d.sync += Value.cast(held[name]).eq(target)
    predict, context = kinds[0], kinds[2]
    tile_then, step_then = Signal(4), Signal(4)
    tile, step = Mux(begins, 0, tile_then), Mux(begins, 0, step_then)
    wait = Mux(predict, shape.wait, 0)
    whole = Mux(predict, wait + shape.integer, Mux(row.full, shape.slices, shape.integer + shape.cross))
    last_tile, last_step = tile + 1 == row.n_tiles, step + 1 == Mux(context, shape.slices, whole)
    inner = Mux(context, last_tile, last_step)
    m.d.sync += [
        running.eq((begins | running) & ~(last_tile & last_step)),
        tile_then.eq(Mux(context, Mux(last_tile, 0, tile + 1), tile + last_step)),
        step_then.eq(Mux(context, step + last_tile, Mux(last_step, 0, step + 1))),
    ]
    crosses = ~predict & ~row.full & (step >= shape.integer)
    mode = Mux(crosses, ArrayMode.CROSS, Mux(row.full & ~predict, ArrayMode.FULL, ArrayMode.INTEGER))
    expected = {
        "mode": Mux(context, ArrayMode.CONTEXT, mode),
        "predict": predict,
        "head": row.head,
        "row": row.row,
        "cycle": Mux(context, step, step - Mux(crosses, shape.integer, wait)),
        "first": Mux(context, tile == 0, step == wait),
        "last": inner,
    }
    m.d.comb += [
        Assert(~(begins & running)),
        Assert(sequencer.o_valid == ((begins | running) & (context | (step >= wait)))),
        *(Assert(~sequencer.o_valid | (op[name] == value)) for name, value in expected.items()),
        Assert(~sequencer.o_valid | Mux(predict, op.column == tile, op.slot == (row.base + tile)[: len(op.slot)])),
        *(Cover(kinds[bit] & running & last_tile & last_step) for bit in range(3)),
        Cover(crosses & running & last_tile & last_step),
        Cover(running & (step < wait) & last_tile & (tile == 1)),
    ]


@pytest.mark.parametrize(("mode", "depth"), [("bmc", 12), ("cover", 16)])
def test_sequencer(mode, depth):
    prove(Sequencer(PARAMS), sequencer, "sequencer", depth, mode)


# -- rows that wait ---------------------------------------------------------------------------------------------------
def row_queue(m, queue):
    """Jobs leave in the order and as they came: what a ring of slots would give."""
    slots = [Signal(queue.i.payload.shape(), name=f"slot_{index}") for index in range(QUEUE_DEPTH)]
    first, free, n_inside = Signal(range(QUEUE_DEPTH)), Signal(range(QUEUE_DEPTH)), Signal(range(QUEUE_DEPTH + 1))
    comes, leaves = queue.i.valid & queue.i.ready, queue.o.valid & queue.o.ready
    m.d.sync += [first.eq(first + leaves), free.eq(free + comes), n_inside.eq(n_inside + comes - leaves)]
    for index, slot in enumerate(slots):
        with m.If(comes & (free == index)):
            m.d.sync += slot.eq(queue.i.payload)
        m.d.comb += Assert(~queue.o.valid | (first != index) | (queue.o.payload == slot))
    m.d.comb += [
        Assert(queue.o.valid == (n_inside != 0)),
        Assert(queue.i.ready == (n_inside != QUEUE_DEPTH)),
        Cover(past(m, n_inside == QUEUE_DEPTH, 4) & (n_inside == 0)),
    ]
    stream_contract(m, queue)


@pytest.mark.parametrize("mode", ["bmc", "cover"])
def test_row_queue(mode):
    prove(RowQueue(PARAMS), row_queue, "row_queue", 10, mode)


# -- the list of survivors --------------------------------------------------------------------------------------------
def survivors(m, listing):
    """Of each row, exactly the blocks of its mask are listed, once and in order, in slots that follow one another."""
    n_rows, row, longest = listing.params.max_blocks, listing.o.payload, listing.params.max_seq_len
    shape = Cat(listing.i_head, listing.i_n_q, listing.i_n_k, listing.i_causal, listing.i_all, listing.i_none)
    busy = listing.i_start | listing.o_busy
    m.d.comb += [Assume(~(listing.i_start & listing.o_busy)), Assume(held(m, shape, busy)), Assume(listing.i_head == 1)]
    m.d.comb += [Assume((length > 0) & (length <= longest)) for length in (listing.i_n_q, listing.i_n_k)]
    m.d.comb += Assume(listing.i_freed == 0)

    # The masks of head 1, which must be there before the head begins; the memory starts with zeros.
    masks = [Signal(n_rows, name=f"mask_{index}") for index in range(n_rows)]
    mask, written = Signal(n_rows), listing.i_mask_valid & (listing.i_mask_head == 1)
    m.d.comb += [Assume(~(written & busy)), Assume(listing.i_mask_index == 0)]  # rows of one word
    for index, stored in enumerate(masks):
        with m.If(written & (listing.i_mask_row == index)):
            m.d.sync += stored.eq(listing.i_mask)
        with m.If(row.row == index):
            m.d.comb += mask.eq(stored)
    # The blocks that a mask may have: of a row's keys.
    beyond = Signal(n_rows)
    m.d.comb += beyond.eq(~((1 << row.n_blocks) - 1))
    m.d.comb += Assume(~listing.o.valid | listing.i_all | listing.i_none | ~(mask & beyond).any())

    seen, last_slot = Signal(n_rows), Signal(listing.o_slot.shape(), init=-1)
    column = (1 << listing.o_column)[:n_rows]
    now = seen | Mux(listing.o_survivor_valid, column, 0)
    slot = Mux(listing.o_survivor_valid, listing.o_slot, last_slot)
    wanted = Mux(listing.i_none, 0, Mux(listing.i_all, ~beyond, mask))
    m.d.sync += seen.eq(Mux(listing.o.valid & listing.o.ready, 0, now))
    with m.If(listing.o_survivor_valid):
        m.d.comb += Assert(column > seen)  # once, in order
        m.d.comb += Assert(listing.o_slot == (last_slot + 1)[: len(last_slot)])
    m.d.sync += last_slot.eq(slot)
    n_tiles = sum(wanted[index] for index in range(n_rows))
    m.d.comb += [
        Assert(~listing.o.valid | ((now == wanted) & (row.n_tiles == n_tiles))),
        Assert(~listing.o.valid | (row.base == (slot + 1 - n_tiles)[: len(row.base)])),
        Cover(listing.o.valid & (n_tiles == 3) & ~listing.i_all),
    ]


@pytest.mark.parametrize(("mode", "depth"), [("bmc", 16), ("cover", 16)])
def test_survivor_list(mode, depth):
    prove(SurvivorList(FEW_BLOCKS), survivors, "survivor_list", depth, mode)
