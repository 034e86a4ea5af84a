"""Proofs: the stream contract, the bounded response of the register port, the register bank against its description."""

import pytest
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Mux, Signal, Value

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
from hdp_hw.shell.register_bank import RegisterBank
from tb.formal.contract import held, not_from_ready, past, stream_contract
from tb.formal.runner import assert_independent, prove

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
ARITHMETIC = (
    "$mul",
    "$shl",
    "$shr",
)  #: no handshake depends on it, and covers of a deep pipeline take long with it
STREAMS = {  # component, properties, clock cycles of the induction, of the covers
    "block_rows": (BlockRows(PARAMS), block_rows, 5, 12),
    "survivor_list": (SurvivorList(PARAMS), survivor_list, 3, 16),
    "head_table": (HeadTable(PARAMS), head_table, 3, 12),
    "drain": (Drain(PARAMS, SUMS), drain, 3, 40),
    "plane_loader": (PlaneLoader(PARAMS, PARAMS.max_words, 8, True), plane_loader, 3, 12),
    "axi_lite": (AxiLite(PARAMS), stream_contract, 3, 8),
}


@pytest.mark.parametrize("mode", ["prove", "cover"])
@pytest.mark.parametrize("name", STREAMS)
def test_stream_contract(name, mode):
    component, properties, depth, cover_depth = STREAMS[name]
    cut = ARITHMETIC if mode == "cover" else ()
    prove(component, properties, f"{name}_streams", depth if mode == "prove" else cover_depth, mode, cut)


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "plane_loader"])
def test_valid_does_not_wait_for_ready(name):
    component = STREAMS[name][0]
    assert_independent(component, f"{name}_streams", not_from_ready(component))


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
def bits_of(word, field):
    """A field's bits of a word."""
    return word[field.low : field.low + field.width]


def written(m, bank):
    """What software writes is in the job registers until it writes again or resets; commands last one clock cycle."""
    port, started = bank.registers, past(m, Const(1))
    whole, mapped = port.write_strobe == 0xF, 0
    for register in REGISTERS:
        hit = port.write_address == register.address // 4
        if "w" in register.access:
            mapped |= hit
        for name, field in register.members.items():
            new = bits_of(port.write_data, field)
            if field.singlepulse:
                command = Mux(port.write & whole & hit & ~bank.o_control.reset, new, 0)
                m.d.comb += Assert(bank.o_control[field.name] == past(m, command))
            elif register.group == "job":
                now = bank.o_job[name].as_unsigned()
                then = Mux(bank.o_control.reset, field.reset, Mux(port.write & whole & hit, new, now))
                m.d.comb += Assert(now == Mux(started, past(m, then), field.reset))
    m.d.comb += Assert(~past(m, port.write) | (port.write_error == past(m, ~(whole & mapped))))


def shown(m, bank):
    """What software reads is what the map says of each field, interrupts and snapshots included."""
    port, reset = bank.registers, bank.o_control.reset
    write = port.write & (port.write_strobe == 0xF)
    pending, enabled = Signal(len(bank.i_events.as_value())), Signal(len(bank.i_events.as_value()))
    cleared = Mux(write & (port.write_address == BY_NAME["IRQ_STATUS"].address // 4), port.write_data, 0)
    m.d.sync += pending.eq(Mux(reset, 0, (pending & ~cleared) | bank.i_events.as_value()))
    with m.If(write & (port.write_address == BY_NAME["IRQ_ENABLE"].address // 4)):
        m.d.sync += enabled.eq(port.write_data)
    with m.If(reset):
        m.d.sync += enabled.eq(0)
    m.d.comb += Assert(bank.irq == past(m, (pending & enabled).any()))

    word, mapped = Signal(32), Signal()
    for register in REGISTERS:
        name = register.name.lower()
        hit = port.read_address == register.address // 4
        if register.group == "counters" and name.endswith("_low"):
            value = bank.i_counters[name.removesuffix("_low")]
            high = Signal(32, name=f"{name}_high_word")
            with m.If(port.read & hit):
                m.d.sync += high.eq(value[32:])
            with m.If(reset):
                m.d.sync += high.eq(0)
            fields = {name: value[:32]}
        elif register.group == "counters":
            fields = {name: high}  # of the register before
        elif register.group == "parameters":
            fields = {name: getattr(PARAMS, name)}
        else:
            sources = dict(bank.i_status.shape()), dict(bank.o_job.shape())
            fields = {}
            for member, field in register.members.items():
                if member in sources[0]:
                    fields[member] = bank.i_status[member]
                elif member in sources[1]:
                    fields[member] = bank.o_job[member]
                elif register.name == "IRQ_STATUS":
                    fields[member] = bits_of(pending, field)
                elif register.name == "IRQ_ENABLE":
                    fields[member] = enabled
                else:
                    fields[member] = 0 if field.access == "w" else field.reset
        with m.If(hit):
            m.d.comb += mapped.eq(1)
            for member, field in register.members.items():
                m.d.comb += bits_of(word, field).eq(fields[member])
    answered = past(m, port.read)
    m.d.comb += Assert(~answered | (port.read_error == past(m, ~mapped)))
    m.d.comb += Assert(~answered | (port.read_data == past(m, word)))
    m.d.comb += Cover(bank.irq & past(m, bank.irq) & reset)


def test_register_bank_holds_what_is_written():
    prove(RegisterBank(PARAMS), written, "register_bank_written", 2)


@pytest.mark.parametrize("mode", ["bmc", "cover"])
def test_register_bank_shows_what_the_map_says(mode):
    prove(RegisterBank(PARAMS), shown, "register_bank_shown", 6, mode)
