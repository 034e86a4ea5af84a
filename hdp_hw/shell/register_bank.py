"""The registers of hdp_top."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.register_map import BY_NAME, REGISTERS
from hdp_hw.registers import WORD_BYTES
from hdp_hw.shell.axi_lite import register_port

COUNTERS = tuple(
    register.name.lower().removesuffix("_low")
    for register in REGISTERS
    if register.group == "counters" and register.name.endswith("_LOW")
)  #: 64-bit counters, in the order of the map


def layout_of(chosen):
    """Layout of the fields that are chosen by ``chosen(register, field)``, by their names in the whole map."""
    return data.StructLayout(
        {
            name: signed(field.width) if field.signed else unsigned(field.width)
            for register in REGISTERS
            for name, field in register.members.items()
            if chosen(register, field)
        }
    )


def job_layout():
    """The job registers, field by field: ``mode_rule``, ``n_heads``, ``scale_rho``, ``q_integer_low``, ..."""
    return layout_of(lambda register, field: register.group == "job")


def control_layout():
    """The commands: ``control_start``, ..."""
    return layout_of(lambda register, field: field.singlepulse)


def status_layout():
    """What hardware drives: ``status_busy``, ..."""
    return layout_of(lambda register, field: register.group == "general" and field.reset is None)


def event_layout():
    """A bit for each of IRQ_STATUS: ``job_done``, ..."""
    return data.StructLayout({field.name: field.width for field in BY_NAME["IRQ_STATUS"].fields})


def counter_layout():
    """The counters: ``cycles``, ..."""
    return data.StructLayout({name: unsigned(64) for name in COUNTERS})


class RegisterBank(wiring.Component):
    """All registers of :mod:`hdp_hw.register_map`, behind a register port.

    ``hdp_hw/registers.rdl`` says what is in it and how each field behaves. CONTROL.reset resets the registers too, in
    the clock cycle of ``o_control``; the port keeps working, and reading gives reset values from then on.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    registers : In(register_port())
    o_control : Out(control_layout())
        Each for one clock cycle.
    o_job : Out(job_layout())
        What the registers hold; complete when ``o_control.start`` is 1.
    i_status : In(status_layout())
    i_events : In(event_layout())
        1 for a clock cycle: the bit of IRQ_STATUS is set.
    i_counters : In(counter_layout())
    irq : Out(unsigned(1))
        A level.

    Timing
    ------
    What is written shows one clock cycle after ``write``, in ``irq`` one later; so do events. Hardware's values are
    those of the clock cycle of ``read``; they answer one clock cycle later.

    Numerics
    --------
    Golden twin ``golden.shell.register_bank``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "registers": In(register_port()),
                "o_control": Out(control_layout()),
                "o_job": Out(job_layout()),
                "i_status": In(status_layout()),
                "i_events": In(event_layout()),
                "i_counters": In(counter_layout()),
                "irq": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        port, soft_reset = self.registers, self.o_control.control_reset
        # Storage, apart so that CONTROL.reset reaches it and not the answers of the port.
        m.submodules.fields = fields = ResetInserter(soft_reset)(_Fields())
        words = {register.name: self._word(register, fields) for register in REGISTERS}

        known, writable = Signal(), Signal()
        m.d.sync += [port.read_data.eq(0), port.read_error.eq(0)]
        with m.Switch(port.read_address):
            for register in REGISTERS:
                with m.Case(register.address // WORD_BYTES):
                    m.d.sync += port.read_data.eq(words[register.name])
            with m.Default():
                m.d.sync += port.read_error.eq(1)
        with m.Switch(port.write_address):
            for register in REGISTERS:
                if "w" in register.access:
                    with m.Case(register.address // WORD_BYTES):
                        m.d.comb += fields.i_write[register.name].eq(accepted)
        return m
