"""Proofs: handshakes, the schedule, the list of survivors, the register port and the registers."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.rtl.core.jobs import head_shape_layout, row_job_layout
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.rtl.core.row_queue import RowQueue
from hdp_hw.rtl.core.sequencer import Sequencer
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.axi_lite import AxiLite
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.rtl.shell.counters import Counters
from hdp_hw.rtl.shell.head_loader import HeadLoader
from hdp_hw.rtl.shell.job_engine import JobEngine
from hdp_hw.rtl.shell.plane_reader import PlaneReader
from hdp_hw.rtl.shell.read_arbiter import ReadArbiter
from hdp_hw.rtl.shell.register_bank import RegisterBank, counter_layout
from hdp_hw.rtl.shell.row_writer import RowWriter
from hdp_hw.rtl.shell.segment_generator import SegmentGenerator
from hdp_hw.rtl.shell.write_arbiter import WriteArbiter
from hdp_hw.spec.params import ArrayMode, HdpParams
from hdp_hw.spec.register_map import REGISTERS
from hdp_hw.spec.timing import QUEUE_DEPTH
from tb.formal.contract import held, holds, not_from_ready, past, stream_contract, streams_of
from tb.formal.runner import NotProved, assert_independent, prove

pytestmark = [pytest.mark.slow, pytest.mark.formal]

PARAMS = HdpParams(tile=2, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16)
FEW_BLOCKS = HdpParams(tile=4, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16)

TWO_CORES = replace(PARAMS, n_cores=2, address_width=32)


# -- streams ----------------------------------------------------------------------------------------------------------
def block_rows(m, rows):
    """A head begins when the one before is over; its shape holds meanwhile."""
    begins = rows.i_start | (rows.o.valid & rows.o.ready & ~rows.o.payload.last)
    busy = Signal()
    m.d.sync += busy.eq((busy & ~(rows.o.valid & rows.o.ready & rows.o.payload.last)) | rows.i_start)
    shape = Cat(rows.i_n_q, rows.i_n_k, rows.i_causal)
    m.d.comb += [Assume(~(rows.i_start & busy)), Assume(held(m, shape, busy))]
    # A row is in one place: just begun, half-way, or offered. That is what makes the contract inductive.
    places = Cat(past(m, begins, 1), past(m, begins, 2), rows.o.valid)
    m.d.comb += Assert((places & (places - 1) == 0) & (places.any() == busy))
    stream_contract(m, rows)


def survivor_list(m, survivors):
    shape = Cat(survivors.i_head, survivors.i_n_q, survivors.i_n_k)
    shape = Cat(shape, survivors.i_causal, survivors.i_all, survivors.i_none)
    m.d.comb += [Assume(~(survivors.i_start & survivors.o_busy)), Assume(held(m, shape, survivors.o_busy))]
    stream_contract(m, survivors)


def head_table(m, table):
    m.d.comb += [
        Assume(~table.i_report | table.o_report_free),
        Assert(table.o_report_free | past(m, ~table.o_report_free | table.i_report)),  # as the drain assumes
    ]
    stream_contract(m, table)


def drain(m, drain):
    m.d.comb += Assume(held(m, drain.i_report_free, drain.i_report_free & ~drain.o_report))
    stream_contract(m, drain)


def plane_loader(m, loader):
    """Once started, a plane is read up to the beat with ``last``, whatever is wrong, and ends once."""
    beat = loader.i.valid & loader.i.ready
    ends = beat & loader.i.payload.last
    m.d.comb += [
        Assume(~loader.i_start | ~(loader.o_busy | loader.o_done)),
        Assert(loader.i.ready == loader.o_busy),
        Assert(loader.o_done == past(m, ends)),
        Assert(loader.o_busy == past(m, loader.i_start | (loader.o_busy & ~ends))),
        Assert(~loader.o_write.any() | past(m, beat)),
        Assert(~loader.o_done | (loader.o_error == 0) | ~loader.o_write.any()),
        Cover(loader.o_done & (loader.o_error == 0)),
        Cover(loader.o_done & (loader.o_error != 0)),
    ]
    stream_contract(m, loader)


def arbiter(m, arbiter):
    """To the memory always; to readers and writers until a new epoch, with which they are reset."""
    new_epoch = arbiter.i_epoch != past(m, arbiter.i_epoch)
    for port in streams_of(arbiter):
        dropped = past(m, new_epoch) if port.name.startswith("i_") else 0
        m.d.comb += Assume(holds(m, port)) if port.consumed else Assert(holds(m, port) | dropped)
        m.d.comb += Cover(past(m, port.valid & ~port.ready) & port.valid & port.ready)


def job_engine(m, engine):
    """A head that is offered stays with its lane until it is taken, or the job stops; none is left out or doubled."""
    for head in engine.o_head:
        m.d.comb += Assert(holds(m, head) | engine.o_stop)
    taken, head = Cat(head.valid & head.ready for head in engine.o_head), engine.o_head[0]
    number = head.payload.head  # of the head that is next, whether it is on offer or not
    m.d.comb += Assert((taken & (taken - 1)) == 0)
    m.d.comb += Assert((number == past(m, number + taken.any())[:16]) | ((number == 0) & ~past(m, taken.any())))
    m.d.comb += Cover(past(m, head.valid & ~head.ready) & head.valid & head.ready)


#: memories and arithmetic: no handshake depends on what they give, and covers take long with them
CUT = ("$mem_v2", "$mul", "$shl", "$shr")
STREAMS = {  # what makes the component, properties, how they are checked and in how many clock cycles, those of covers
    "block_rows": (lambda: BlockRows(PARAMS), block_rows, "prove", 5, 12),
    "survivor_list": (lambda: SurvivorList(PARAMS), survivor_list, "prove", 3, 16),
    "head_table": (lambda: HeadTable(PARAMS), head_table, "prove", 3, 12),
    "drain": (lambda: Drain(PARAMS, SoftmaxUnit(PARAMS).sums_layout), drain, "prove", 3, 40),
    "plane_loader": (lambda: PlaneLoader(PARAMS, PARAMS.max_words, 8, keyed=True), plane_loader, "prove", 3, 12),
    "axi_lite": (lambda: AxiLite(PARAMS), stream_contract, "prove", 3, 8),
    "segment_generator": (lambda: SegmentGenerator(PARAMS), stream_contract, "prove", 4, 16),
    "read_arbiter": (lambda: ReadArbiter(PARAMS, 2), arbiter, "prove", 4, 12),
    "write_arbiter": (lambda: WriteArbiter(PARAMS, 2), arbiter, "bmc", 7, 12),  # a FIFO's memory is not inductive
    "row_writer": (lambda: RowWriter(PARAMS), stream_contract, "bmc", 8, 16),
    "job_engine": (lambda: JobEngine(TWO_CORES), job_engine, "prove", 3, 10),
}
PATHS = {name: build for name, (build, *_) in STREAMS.items() if name != "plane_loader"} | {
    "burst_reader": lambda: BurstReader(PARAMS),
    "head_loader": lambda: HeadLoader(PARAMS),
    "plane_reader": lambda: PlaneReader(PARAMS),
}


@pytest.mark.parametrize("cover", [False, True], ids=["holds", "happens"])
@pytest.mark.parametrize("name", STREAMS)
def test_stream_contract(name, cover):
    build, properties, mode, depth, cover_depth = STREAMS[name]
    if cover:
        prove(build(), properties, f"{name}_streams", cover_depth, "cover", cut=CUT)
    else:
        prove(build(), properties, f"{name}_streams", depth, mode)


@pytest.mark.parametrize("name", PATHS)
def test_valid_does_not_wait_for_ready(name):
    component = PATHS[name]()
    assert_independent(component, f"{name}_streams", not_from_ready(component))


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
    whole = Mux(predict, shape.integer, Mux(row.full, shape.slices, shape.integer + shape.cross))
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
        "cycle": Mux(context, step, Mux(crosses, step - shape.integer, step)),
        "first": Mux(context, tile == 0, step == 0),
        "last": inner,
    }
    m.d.comb += [
        Assert(~(begins & running)),
        Assert(sequencer.o_valid == (begins | running)),
        *(Assert(~sequencer.o_valid | (op[name] == value)) for name, value in expected.items()),
        Assert(~sequencer.o_valid | Mux(predict, op.column == tile, op.slot == (row.base + tile)[: len(op.slot)])),
        *(Cover(kinds[bit] & running & last_tile & last_step) for bit in range(3)),
        Cover(crosses & running & last_tile & last_step),
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


# -- counters ---------------------------------------------------------------------------------------------------------
def counters(m, counters):
    """Each grows by its increment, and tells when that takes it beyond 64 bits, where no bench comes."""
    beyond = []
    for name, _ in counter_layout():
        total = Signal(65, name=f"{name}_total")
        m.d.comb += total.eq(counters.o[name] + past(m, counters.i[name]))
        following = Mux(counters.i_clear, 0, total[:64])
        m.d.comb += Assert(counters.o[name] == past(m, following))
        beyond.append(total[64])
    m.d.comb += Assert(counters.o_overflow == past(m, Cat(beyond).any()))


def test_counters():
    prove(Counters(PARAMS), counters, "counters", 2)


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


# -- the register port ------------------------------------------------------------------------------------------------
def axi_lite(m, bus):
    """Each request is passed on once, as it was sent, and answered once, with what the bank says, in bounded time."""
    port = bus.registers
    written = Cat(port.write_data, port.write_strobe)
    _requests(
        m, "write", {bus.aw: (port.write_address, 2), bus.w: (written, 0)}, port.write, Cat(port.write_error), bus.b
    )
    answer = Cat(port.read_error, port.read_data)
    _requests(m, "read", {bus.ar: (port.read_address, 2)}, port.read, answer, bus.r)
    stream_contract(m, bus)


def _requests(m, kind, channels, strobe, answer, response):
    """``channels``: the streams that a request comes by, and what is passed on of each, from which bit on."""
    complete = 1
    for index, (channel, (passed, low)) in enumerate(channels.items()):
        taken, answered = channel.valid & channel.ready, response.valid & response.ready
        n_open = Signal(2, name=f"{kind}_{index}_open")  # taken and not answered
        last = Signal(len(Value.cast(channel.payload)), name=f"{kind}_{index}_last")
        m.d.sync += n_open.eq(n_open + taken - answered)
        with m.If(taken):
            m.d.sync += last.eq(channel.payload)
        # A request is in one of three places, so that none is lost, doubled or answered unasked.
        m.d.comb += Assert(n_open == ~channel.ready + past(m, strobe) + response.valid)
        m.d.comb += Assert(channel.ready | (passed == last[low:][: len(passed)]))
        m.d.comb += Assert(~(strobe & channel.ready))
        complete &= n_open != 0

    said = Signal(len(answer), name=f"{kind}_said")
    with m.If(past(m, strobe)):
        m.d.sync += said.eq(answer)
    resp = Mux(said[0], Response.SLVERR, Response.OKAY)
    if kind == "read":
        m.d.comb += Assert(~response.valid | (response.payload.data == said[1:]))
    m.d.comb += Assert(~response.valid | (response.payload.resp == resp))

    # A complete request is answered in bounded time, not counting the time in which an answer waits for the manager.
    age = Signal(range(AxiLite.latency + 1), name=f"{kind}_age")
    m.d.sync += age.eq(Mux(complete & ~response.valid, age + 1, 0))
    m.d.comb += Assert(age < AxiLite.latency)
    m.d.comb += [Cover(response.valid & said[0]), Cover(response.valid & ~said[0] & (age == AxiLite.latency - 1))]


@pytest.mark.parametrize("mode", ["prove", "cover"])
def test_axi_lite_answers(mode):
    prove(AxiLite(PARAMS), axi_lite, "axi_lite", {"prove": 5, "cover": 12}[mode], mode)


def test_axi_lite_has_no_combinational_path():
    inputs = ["aw_valid", "w_valid", "ar_valid", "b_ready", "r_ready"]
    outputs = ["aw_ready", "w_ready", "ar_ready", "b_valid", "r_valid"]
    pairs = [(source, sink) for source in inputs for sink in outputs]
    assert_independent(AxiLite(PARAMS), "axi_lite", pairs)


# -- the register bank against the register map -----------------------------------------------------------------------
def register_bank(m, bank):
    """Every register of the bank is what the map says, whatever is written, read and happens.

    One step of induction: all registers are compared with what they were, and nothing else is remembered.
    """
    port, reset, started = bank.registers, bank.o_control.reset, past(m, Const(1))
    events, pending = bank.i_events.as_value(), bank.pending.as_value()

    def becomes(register, after_reset, following):
        """``register`` is ``following`` of the clock cycle before, or else as after a reset."""
        following = Mux(reset, after_reset, following)
        m.d.comb += Assert(register == Mux(started, past(m, following), after_reset))

    writable, readable, word = [], [], Signal(32)
    for register in REGISTERS:
        chosen = port.write_address == register.address // 4
        write = port.write & (port.write_strobe == 0xF) & chosen
        read = port.read_address == register.address // 4
        readable.append(read)
        if "w" in register.access:
            writable.append(chosen)
        counter, _, half = register.name.lower().rpartition("_")
        shown = {}
        for name, field in register.members.items():
            new = port.write_data[field.low : field.low + field.width]
            if field.singlepulse:
                becomes(bank.o_control[field.name], 0, write & new)
            elif register.name == "IRQ_STATUS":
                cleared = write & new
                shown[field] = bank.pending[field.name]
                becomes(bank.pending[field.name], 0, (bank.pending[field.name] & ~cleared) | bank.i_events[field.name])
            elif register.name == "IRQ_ENABLE":
                shown[field] = bank.enabled
                becomes(bank.enabled, 0, Mux(write, new, bank.enabled))
            elif register.group == "job":
                shown[field] = bank.o_job[name].as_unsigned()
                becomes(shown[field], field.reset, Mux(write, new, shown[field]))
            elif register.group == "counters" and half == "low":
                shown[field], high = bank.i_counters[counter][:32], bank.high_words[counter]
                becomes(high, 0, Mux(port.read & read, bank.i_counters[counter][32:], high))
            elif register.group == "counters":
                shown[field] = bank.high_words[counter]
            elif register.group == "parameters":
                shown[field] = getattr(PARAMS, name)
            else:
                shown[field] = bank.i_status[name] if field.reset is None else field.reset
        with m.If(read):
            m.d.comb += [word[field.low : field.low + field.width].eq(value) for field, value in shown.items()]
    refused = ~(Cat(writable).any() & (port.write_strobe == 0xF))
    m.d.comb += [
        Assert(bank.irq == past(m, (pending & bank.enabled).any())),
        Assert(~past(m, port.write) | (port.write_error == past(m, refused))),
        Assert(~past(m, port.read) | (port.read_error == past(m, ~Cat(readable).any()))),
        Assert(~past(m, port.read) | (port.read_data == past(m, word))),
        Cover(bank.irq & reset & events.any()),
    ]


@pytest.mark.parametrize(("mode", "depth"), [("prove", 1), ("cover", 6)])
def test_register_bank(mode, depth):
    prove(RegisterBank(PARAMS), register_bank, "register_bank", depth, mode)


# -- what does not hold is noticed ------------------------------------------------------------------------------------
class Wire(Component):
    """A stream straight through; ``fault`` plants a fault."""

    def __init__(self, fault):
        self.fault = fault
        byte = stream.Signature(8)
        super().__init__({"i": In(byte), "i_other": In(unsigned(1)), "o": Out(byte)})

    def elaborate(self, platform):
        m = Module()
        condition = {"valid falls": self.i_other, "waits for ready": self.o.ready}.get(self.fault, 1)
        m.d.comb += [
            self.o.valid.eq(self.i.valid & condition),
            self.o.payload.eq(self.i.payload + (self.i_other if self.fault == "payload changes" else 0)),
            self.i.ready.eq(self.o.valid & self.o.ready & (self.fault != "never ready")),
        ]
        return m


@pytest.mark.parametrize("mode", ["prove", "bmc", "cover"])
def test_contract_holds(mode):
    prove(Wire(None), stream_contract, "wire", 4, mode)


@pytest.mark.parametrize(
    ("fault", "mode"), [("valid falls", "prove"), ("payload changes", "bmc"), ("never ready", "cover")]
)
def test_contract_does_not_hold(fault, mode):
    with pytest.raises(NotProved, match=rf"{mode} in 4 clock cycles.*\n(.*\n)*.*contract\.py"):
        prove(Wire(fault), stream_contract, "wire_" + fault.replace(" ", "_"), 4, mode)


def test_combinational_path_is_noticed():
    pairs = not_from_ready(Wire(None))
    assert pairs == [("o_ready", "o_valid")]
    assert_independent(Wire(None), "wire", pairs)
    with pytest.raises(NotProved, match="an output depends on an input in the same clock cycle"):
        assert_independent(Wire("waits for ready"), "wire_waits", pairs)
