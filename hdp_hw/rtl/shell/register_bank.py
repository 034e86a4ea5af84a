"""The registers of hdp_top."""

from functools import reduce
from operator import or_

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.shell.axi_lite import register_port
from hdp_hw.rtl.shell.commands import load_layout
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.registers import WORD_BYTES

READ_PAGE_BYTES = 64  #: of registers whose read multiplexers are one


def _layout(fields):
    return data.StructLayout(
        {name: signed(field.width) if field.signed else unsigned(field.width) for name, field in fields.items()}
    )


def registers_of(params):
    """The Registers that a co-processor has."""
    return [register for register in REGISTERS if register.exists(params.encoder)]


def job_fields(params):
    """``{name: Field}`` of the job registers: ``mode_rule``, ``n_heads``, ``q_integer_low``, ..."""
    registers = [register for register in registers_of(params) if register.group in ("job", "encoder")]
    return {name: field for register in registers for name, field in register.members.items()}


def job_fields_layout(params):
    """The job registers, field by field, with the names of :func:`job_fields`."""
    return _layout(job_fields(params))


def control_layout():
    """The commands: ``start``, ..."""
    return _layout({field.name: field for field in BY_NAME["CONTROL"].fields})


def event_layout():
    """A bit for each of IRQ_STATUS: ``job_done``, ..."""
    return _layout({field.name: field for field in BY_NAME["IRQ_STATUS"].fields})


def status_layout():
    """What hardware drives beside parameters and counters: ``status_busy``, ``last_job_failed``, ..."""
    registers = [register for register in REGISTERS if register.group == "general"]
    fields = {name: field for register in registers for name, field in register.members.items()}
    return _layout({name: field for name, field in fields.items() if field.reset is None})


def counter_layout():
    """The counters, 64 bits each: ``cycles``, ..."""
    names = [register.name.lower() for register in REGISTERS if register.group == "counters"]
    return data.StructLayout({name.removesuffix("_low"): unsigned(64) for name in names if name.endswith("_low")})


class RegisterBank(wiring.Component):
    """All registers of :mod:`hdp_hw.spec.register_map`, behind a register port.

    ``hdp_hw/spec/registers.rdl`` says what is in it and how each field behaves. ``o_control.reset`` resets the
    registers like everything else; the port goes on.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    registers : In(register_port())
        From AxiLite: accesses to words, each answered in the next clock cycle.
    o_control : Out(control_layout())
        Each for one clock cycle.
    i_load : In(stream.Signature(load_layout()))
        With ``encoder``, from JobEngine: a word for a job register, by its number from JOB_ID on. It waits while the
        register port writes.
    o_job : Out(job_fields_layout(params))
        What the registers hold; complete when ``o_control.start`` is 1.
    i_status : In(status_layout())
        From JobEngine and the arbiters: what read-only fields show.
    i_events : In(event_layout())
        1 for a clock cycle: the bit of IRQ_STATUS is set.
    i_counters : In(counter_layout())
        From Counters: what the counters' registers show. A read of a low word holds the high word for the next read.
    irq : Out(unsigned(1))
        A level.

    Timing
    ------
    What is written, and an event, shows ``latency`` = 1 clock cycle later, in ``irq`` 2. What hardware drives is read
    as it was in the clock cycle of ``read``.

    Numerics
    --------
    Golden twin ``golden.bits.shell.register_bank``.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        self.job_reset = {name: field.reset for name, field in job_fields(params).items()}
        # Registers without an output of their own; the proofs in tb/formal refer to them.
        self.enabled = Signal(BY_NAME["IRQ_ENABLE"].fields[0].width)
        self.pending = Signal(event_layout())
        self.high_words = {name: Signal(32, name=f"{name}_high") for name, _ in counter_layout()}
        super().__init__(
            {
                "registers": In(register_port()),
                "o_control": Out(control_layout()),
                "o_job": Out(job_fields_layout(params), init=self.job_reset),
                **({"i_load": In(stream.Signature(load_layout()))} if params.encoder else {}),
                "i_status": In(status_layout()),
                "i_events": In(event_layout()),
                "i_counters": In(counter_layout()),
                "irq": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port = self.registers
        enabled, pending, cleared = self.enabled, self.pending, Signal(event_layout())

        # What software writes: {field: register, or pulse}. The default is first, the write in between, reset last.
        stored = {name: self.o_job[name] for name in self.job_reset}
        stored |= {f"control_{name}": self.o_control[name] for name, _ in self.o_control.shape()}
        stored |= {f"irq_status_{name}": cleared[name] for name, _ in pending.shape()}
        stored["irq_enable"] = enabled
        m.d.sync += [
            self.o_control.eq(0),
            pending.eq(pending.as_value() & ~cleared.as_value() | self.i_events.as_value()),
            self.irq.eq((pending.as_value() & enabled).any()),
            port.write_error.eq(1),
        ]
        registers = registers_of(self.params)
        write, address, word, whole = port.write, port.write_address, port.write_data, port.write_strobe.all()
        if self.params.encoder:
            load, first = self.i_load, BY_NAME["JOB_ID"].address // WORD_BYTES
            m.d.comb += load.ready.eq(~port.write)
            write, whole = write | load.valid, whole | ~port.write
            address = Mux(port.write, address, load.payload.index + first)
            word = Mux(port.write, word, load.payload.word)
        with m.Switch(address):
            for register in registers:
                if "w" not in register.access:
                    continue
                with m.Case(register.address // WORD_BYTES):
                    m.d.sync += port.write_error.eq(~whole)
                    with m.If(write & whole):
                        for name, field in register.members.items():
                            value = word[field.low : field.low + field.width]
                            if field.w1c:
                                m.d.comb += stored[name].eq(value)
                            else:
                                m.d.sync += stored[name].eq(value)

        # What software reads. Each page has a register of its own, 0 unless it is read: with one for all of them, their
        # wires met in one place, and an ECP5 could not be routed.
        pages = {self._page(register): Signal(32, name=f"page_{self._page(register)}") for register in registers}
        m.d.comb += port.read_data.eq(reduce(or_, pages.values()))
        m.d.sync += [port.read_error.eq(1), *(page.eq(0) for page in pages.values())]
        with m.Switch(port.read_address):
            for register in registers:
                word = pages[self._page(register)]
                with m.Case(register.address // WORD_BYTES):
                    m.d.sync += port.read_error.eq(0)
                    counter, _, half = register.name.lower().rpartition("_")
                    if register.group != "counters":
                        for name, field in register.members.items():
                            if "r" in field.access:
                                value = self._value(register, name, field, stored)
                                m.d.sync += word[field.low : field.low + field.width].eq(value)
                    elif half == "low":
                        m.d.sync += word.eq(self.i_counters[counter][:32])
                        with m.If(port.read):
                            m.d.sync += self.high_words[counter].eq(self.i_counters[counter][32:])
                    else:
                        m.d.sync += word.eq(self.high_words[counter])

        with m.If(self.o_control.reset):
            m.d.sync += [
                self.o_control.eq(0),
                self.o_job.eq(self.o_job.shape().const(self.job_reset)),
                enabled.eq(0),
                pending.eq(0),
                *(high.eq(0) for high in self.high_words.values()),
            ]
        return m

    @staticmethod
    def _page(register):
        return register.address // READ_PAGE_BYTES

    def _value(self, register, name, field, stored):
        """What a field reads as."""
        if register.group == "parameters":
            return Const(getattr(self.params, name), field.width)
        if field.w1c:
            return self.pending[field.name]
        if "w" in field.access:
            return stored[name]
        return self.i_status[name] if field.reset is None else Const(field.reset, field.width)
