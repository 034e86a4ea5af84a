"""Proofs of handshakes, and that what does not hold is noticed."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.rtl.shell.axi_lite import AxiLite
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.rtl.shell.head_loader import HeadLoader
from hdp_hw.rtl.shell.job_engine import JobEngine
from hdp_hw.rtl.shell.plane_reader import PlaneReader
from hdp_hw.rtl.shell.plane_splitter import PlaneSplitter
from hdp_hw.rtl.shell.read_arbiter import ReadArbiter
from hdp_hw.rtl.shell.row_writer import RowWriter
from hdp_hw.rtl.shell.segment_generator import SegmentGenerator
from hdp_hw.rtl.shell.write_arbiter import WriteArbiter
from tb.formal.contract import PARAMS, held, holds, not_from_ready, past, stream_contract, streams_of
from tb.formal.runner import NotProved, assert_independent, prove

pytestmark = [pytest.mark.slow, pytest.mark.formal]

LAYERS = replace(PARAMS, multiplier=18, lanes=16, max_head_dim=16, encoder=1)
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
    "drain": (lambda: Drain(PARAMS, SoftmaxUnit(PARAMS).sums_layout), drain, "bmc", 18, 40),
    "plane_loader": (lambda: PlaneLoader(PARAMS, PARAMS.max_words, 8, keyed=True), plane_loader, "prove", 3, 12),
    "axi_lite": (lambda: AxiLite(), stream_contract, "prove", 3, 8),
    "registered_queue": (lambda: Queue(8, 3, registered=True), stream_contract, "prove", 4, 8),
    "segment_generator": (lambda: SegmentGenerator(PARAMS), stream_contract, "prove", 4, 16),
    "read_arbiter": (lambda: ReadArbiter(PARAMS, 2), arbiter, "prove", 4, 12),
    "write_arbiter": (lambda: WriteArbiter(PARAMS, 2), arbiter, "bmc", 7, 12),  # a FIFO's memory is not inductive
    "row_writer": (lambda: RowWriter(PARAMS), stream_contract, "bmc", 8, 16),
    "row_writer_of_planes": (lambda: RowWriter(PARAMS, 2), stream_contract, "bmc", 8, 16),
    "plane_splitter": (lambda: PlaneSplitter(LAYERS), stream_contract, "bmc", 8, 12),
    "job_engine": (lambda: JobEngine(TWO_CORES), job_engine, "prove", 3, 10),
}
PATHS = {name: build for name, (build, *_) in STREAMS.items() if name != "plane_loader"} | {
    "burst_reader": lambda: BurstReader(PARAMS, 1 << 16),
    "head_loader": lambda: HeadLoader(PARAMS),
    "drain_of_layers": lambda: Drain(LAYERS, SoftmaxUnit(LAYERS).sums_layout),
    "plane_reader": lambda: PlaneReader(PARAMS),
}


@pytest.mark.parametrize("cover", [False, True], ids=["holds", "happens"])
@pytest.mark.parametrize("name", STREAMS)
def test_stream_contract(name, cover):
    build, properties, mode, depth, cover_depth = STREAMS[name]
    if cover:
        prove(build(), properties, f"{name}_streams", cover_depth, "cover", cut=CUT)
    else:
        prove(build(), properties, f"{name}_streams", depth, mode, cut=("$mul",))  # the drain: 5 minutes without


@pytest.mark.parametrize("name", PATHS)
def test_valid_does_not_wait_for_ready(name):
    component = PATHS[name]()
    assert_independent(component, f"{name}_streams", not_from_ready(component))


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
