"""Proofs: the stream contract, the bounded response of the register port, the register bank against its description."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.core.drain import Drain
from hdp_hw.core.head_table import HeadTable
from hdp_hw.core.plane_loader import PlaneLoader
from hdp_hw.core.softmax_unit import SoftmaxUnit
from hdp_hw.params import HdpParams
from hdp_hw.pruning.block_rows import BlockRows
from hdp_hw.pruning.survivor_list import SurvivorList
from hdp_hw.register_map import BY_NAME, REGISTERS
from hdp_hw.shell.axi import Response
from hdp_hw.shell.axi_lite import AxiLite
from hdp_hw.shell.register_bank import RegisterBank, job_fields
from tb.formal.contract import held, not_from_ready, past, stream_contract, streams_of
from tb.formal.runner import NotProved, assert_independent, prove

pytestmark = [pytest.mark.slow, pytest.mark.formal]

PARAMS = HdpParams(tile=2, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16)


# -- streams of the core ----------------------------------------------------------------------------------------------
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


SUMS = SoftmaxUnit(PARAMS).sums_layout
STREAMS = {  # component, properties, clock cycles of the induction, of the covers
    "block_rows": (BlockRows(PARAMS), block_rows, 5, 12),
    "survivor_list": (SurvivorList(PARAMS), survivor_list, 3, 16),
    "head_table": (HeadTable(PARAMS), head_table, 3, 12),
    "drain": (Drain(PARAMS, SUMS), drain, 3, 40),
    "plane_loader": (PlaneLoader(PARAMS, PARAMS.max_words, 8, True), plane_loader, 3, 12),
    "axi_lite": (AxiLite(PARAMS), stream_contract, 3, 8),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("mode", ["prove", "cover"])
def test_stream_contract(name, mode):
    component, properties, depth, cover_depth = STREAMS[name]
    prove(component, properties, f"{name}_streams", depth if mode == "prove" else cover_depth, mode)
