"""Proofs of the registers: counters, the register port, the register bank against the register map."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Cat, Const, Cover, Mux, Signal, Value

from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.axi_lite import AxiLite
from hdp_hw.rtl.shell.counters import Counters
from hdp_hw.rtl.shell.register_bank import RegisterBank, counter_layout, registers_of
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.register_map import BY_NAME
from tb.formal.contract import PARAMS, past, stream_contract
from tb.formal.runner import assert_independent, prove

pytestmark = [pytest.mark.slow, pytest.mark.formal]


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
    prove(Counters(), counters, "counters", 2)


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
    prove(AxiLite(), axi_lite, "axi_lite", {"prove": 5, "cover": 12}[mode], mode)


def test_axi_lite_has_no_combinational_path():
    inputs = ["aw_valid", "w_valid", "ar_valid", "b_ready", "r_ready"]
    outputs = ["aw_ready", "w_ready", "ar_ready", "b_valid", "r_valid"]
    pairs = [(source, sink) for source in inputs for sink in outputs]
    assert_independent(AxiLite(), "axi_lite", pairs)


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
    for register in registers_of(bank.params):
        chosen = port.write_address == register.address // 4
        write, written = port.write & (port.write_strobe == 0xF) & chosen, port.write_data
        if bank.params.encoder and register.group in ("job", "encoder"):
            index = register.address // 4 - BY_NAME["JOB_ID"].address // 4
            write |= ~port.write & bank.i_load.valid & (bank.i_load.payload.index == index)
            written = Mux(port.write, port.write_data, bank.i_load.payload.word)
        read = port.read_address == register.address // 4
        readable.append(read)
        if "w" in register.access:
            writable.append(chosen)
        counter, _, half = register.name.lower().rpartition("_")
        shown = {}
        for name, field in register.members.items():
            new = written[field.low : field.low + field.width]
            if field.singlepulse:
                becomes(bank.o_control[field.name], 0, write & new)
            elif register.name == "IRQ_STATUS":
                cleared = write & new
                shown[field] = bank.pending[field.name]
                becomes(bank.pending[field.name], 0, (bank.pending[field.name] & ~cleared) | bank.i_events[field.name])
            elif register.name == "IRQ_ENABLE":
                shown[field] = bank.enabled
                becomes(bank.enabled, 0, Mux(write, new, bank.enabled))
            elif register.group in ("job", "encoder"):
                shown[field] = bank.o_job[name].as_unsigned()
                becomes(shown[field], field.reset, Mux(write, new, shown[field]))
            elif register.group == "counters" and half == "low":
                shown[field], high = bank.i_counters[counter][:32], bank.high_words[counter]
                becomes(high, 0, Mux(port.read & read, bank.i_counters[counter][32:], high))
            elif register.group == "counters":
                shown[field] = bank.high_words[counter]
            elif register.group == "parameters":
                shown[field] = getattr(bank.params, name)
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


@pytest.mark.parametrize(
    ("name", "params"), [("register_bank", PARAMS), ("register_bank_of_encoder", replace(CONFIGS["tiny"], encoder=1))]
)
@pytest.mark.parametrize(("mode", "depth"), [("prove", 1), ("cover", 6)])
def test_register_bank(name, params, mode, depth):
    prove(RegisterBank(params), register_bank, name, depth, mode)
