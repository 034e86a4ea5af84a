"""Verilog of a component: flat ports with single underscores, byte-identical on every run.

Ports are ``aclk``, ``aresetn`` (synchronous, active low) and the members of the component's signature, their paths
joined by single underscores. A structure becomes one port per field; the fields of a stream's ``payload`` take the
stream's name (``i_data``, ``i_last``). Arrays are packed vectors, element 0 lowest.
"""

import gc
import os
import re
from contextlib import contextmanager

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.lib import data, wiring

# The yosys that the lock file pins, never the one that happens to be on the user's path: the text depends on it.
os.environ["AMARANTH_USE_YOSYS"] = "builtin"

#: Warnings of Verilator's ``-Wall`` that the Verilog is allowed, each with its reason.
LINT_WAIVERS = {
    "WIDTHEXPAND": "Amaranth leaves the extension of operands to Verilog's own rules, which it computes with",
    "WIDTHTRUNC": "Amaranth leaves the truncation of an assignment to Verilog, as its own semantics have it",
    "CASEINCOMPLETE": "every case follows a default assignment to the same signals",
    "PROCASSINIT": "registers start at their reset values, by an initialiser, as FPGAs do",
    "UNUSEDSIGNAL": "Amaranth declares the fields of every record, used or not",
    "VARHIDDEN": "a component may name a signal as another names an instance; nothing refers across scopes",
    "DECLFILENAME": "one file holds the whole hierarchy",
}


def to_verilog(component, name):
    """Verilog text of ``component`` as top module ``name``."""
    m = Module()
    clock, reset_n = Signal(name="aclk"), Signal(name="aresetn")
    m.domains.sync = domain = ClockDomain()
    domain.clk = clock
    m.d.comb += domain.rst.eq(~reset_n)
    m.submodules.core = component
    ports = {"aclk": (clock, None), "aresetn": (reset_n, None)}
    for port_name, direction, member in _flatten(component):
        port = Signal(member.shape(), name=port_name)
        ports[port_name] = (port, None)
        m.d.comb += member.eq(port) if direction == "input" else port.eq(member)
    with _uncollected():
        text = verilog.convert(m, name=name, ports=ports, emit_src=False, strip_internal_attrs=True)
    return _without_aliases(text)


@contextmanager
def _uncollected():
    """Without Python's garbage collection, half of the time otherwise: what Amaranth makes lives until its end."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def ports_of(component):
    """``[(name, direction, width)]`` of the module that :func:`to_verilog` makes; direction is input or output."""
    members = [(name, direction, len(member)) for name, direction, member in _flatten(component)]
    return [("aclk", "input", 1), ("aresetn", "input", 1), *members]


def _without_aliases(text):
    """``text`` without the wires that Amaranth adds for waves, one per field of a record: ``\\entries[2].verdict``.

    Nothing reads them, yet Icarus keeps them up to date, for a quarter of its time, and abc9 of yosys 0.70 fails on
    larger cores because of their brackets.
    """
    alias = r"\\(?!\$)\S*[.\[]\S* "  # names that begin with $ are wires of yosys
    text = re.sub(rf"^  assign {alias} = [^;]*;\n", "", text, flags=re.MULTILINE)
    return re.sub(rf"^(  \(\*.*\*\)\n)*  wire (\[\d+:0\] )?{alias};\n", "", text, flags=re.MULTILINE)


def _flatten(component):
    """``[(port name, direction, Value)]``, in the order of the signature."""
    flat = []
    for path, member, value in component.signature.flatten(component):
        direction = "input" if member.flow == wiring.In else "output"
        flat += [(name, direction, leaf) for name, leaf in _leaves([str(step) for step in path], value)]
    names = ["aclk", "aresetn", *(name for name, _, _ in flat)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{type(component).__name__}: two members flatten to the port {name!r}")
    return flat


def _leaves(path, value):
    """``(port name, Value)`` of every field below ``value``."""
    if isinstance(value, data.View) and isinstance(value.shape(), data.StructLayout):
        prefix = path[:-1] if path[-1] == "payload" else path
        for field, _ in value.shape():
            yield from _leaves([*prefix, field], value[field])
    else:
        yield "_".join(path), Value.cast(value)
