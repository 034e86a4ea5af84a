"""A component's Verilog, compiled by Verilator together with core_harness.cpp and loaded into this process."""

import ctypes
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hdp_hw.driver.checks import number, whole
from hdp_hw.rtl.verilog import to_verilog
from hdp_hw.simulation.library import CACHE, load
from hdp_hw.simulation.streams import StreamPorts, streams_of, to_integers


@dataclass(frozen=True)
class Stalls:
    """How streams hold back: in a clock cycle, with probability ``idle`` (of inputs) and ``busy`` (of outputs).

    length : clock cycles of every hold; seed : of the random numbers.
    """

    idle: float = 0.0
    busy: float = 0.0
    length: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        number("idle", self.idle, 0, 1)
        number("busy", self.busy, 0, 1)
        whole("length", self.length, 1)
        whole("seed", self.seed, 0, (1 << 64) - 1)

    @property
    def slowdown(self):
        """Factor by which an input and an output that take turns slow down on average."""
        return (1 + self.idle * self.length) * (1 + self.busy * self.length)


NO_STALLS = Stalls()


@dataclass(frozen=True, eq=False)
class Beats:
    """Beats of one output stream.

    count : how many; first, last : clock cycles of the first and the last, 0 without any; cycles : int64 [count], of
    each; stored : uint8 [count, bytes]. The last two are empty for a stream without fields.
    """

    ports: StreamPorts
    count: int
    first: int
    last: int
    cycles: np.ndarray
    stored: np.ndarray

    def __getitem__(self, field):
        """List of one field's values, unsigned."""
        return to_integers(self._fields[field], self.ports.fields[field])[:, 0].tolist()

    def elements(self, field, n):
        """int64 [count, n] of a field that is an array of ``n`` signed elements."""
        width = self.ports.fields[field]
        unsigned = to_integers(self._fields[field], width, n).astype(np.int64)
        return unsigned - ((unsigned >> (width // n - 1)) << (width // n))

    @cached_property
    def _fields(self):
        return self.ports.decode(self.stored)


class CompiledModel:
    """A module that can be simulated: see :func:`hdp_hw.simulation.streams.streams_of` for which ports it may have.

    Parameters
    ----------
    component : wiring.Component
    name : str
        Of the module.
    cache : pathlib.Path
        Holds the folder of the compiled model.

    Raises
    ------
    SimulatorMissing
        When Verilator or a C++ compiler is not installed.
    BuildError
    """

    def __init__(self, component, name, cache=CACHE):
        self.name = name
        self.inputs, self.outputs, self.levels = streams_of(component)
        self.verilog = to_verilog(component, name)
        self._library = load(self.verilog, name, "core_harness.cpp", cache, self._binding(name))
        self._library.harness_create.restype = ctypes.c_void_p
        self._library.harness_run.restype = ctypes.c_uint64
        self._create()

    def _create(self):
        self._harness = ctypes.c_void_p(self._library.harness_create())

    def copy(self):
        """Another instance of the module, fresh from reset."""
        twin = copy(self)
        twin._create()
        return twin

    def __del__(self):
        if hasattr(self, "_harness"):
            self._library.harness_destroy(self._harness)

    def reset(self):
        """Hold the module in reset for some clock cycles."""
        self._library.harness_reset(self._harness)

    def run(self, beats, until, n_beats, timeout, stalls=NO_STALLS):
        """Run the clock until the output ``until`` has had ``n_beats`` beats, or ``timeout`` clock cycles.

        beats : ``{input: list}`` as StreamPorts.encode takes them.
        Returns ``({output: Beats}, {input: number of beats taken}, number of clock cycles)``.
        """
        encoded = [ports.encode(beats[name]) for name, ports in self.inputs.items()]
        inputs = (_Input * len(encoded))(*(_Input(array.ctypes.data, len(array), 0) for array in encoded))
        outputs = (_Output * len(self.outputs))()
        index = list(self.outputs).index(until)
        options = _Options(timeout, index, n_beats, stalls.idle, stalls.busy, stalls.length, stalls.seed)
        cycles = self._library.harness_run(self._harness, inputs, outputs, ctypes.byref(options))
        received = {}
        for (name, ports), output in zip(self.outputs.items(), outputs):
            n = output.count if ports.fields else 0
            cycle_of = _copy(output.cycles, ctypes.c_int64, (n,))
            stored = _copy(output.beats, ctypes.c_uint8, (n, ports.beat_bytes))
            received[name] = Beats(ports, output.count, output.first, output.last, cycle_of, stored)
        return received, {name: entry.taken for name, entry in zip(self.inputs, inputs)}, cycles

    def read_levels(self):
        """``{level: value}``, unsigned, as they are now."""
        ports = StreamPorts(self.levels)
        stored = np.zeros((1, ports.beat_bytes), np.uint8)
        self._library.harness_levels(self._harness, ctypes.c_void_p(stored.ctypes.data))
        return {name: int(to_integers(x, self.levels[name])[0, 0]) for name, x in ports.decode(stored).items()}

    def _binding(self, name):
        """Text of binding.h."""

        def rows(streams):
            for stream, ports in streams.items():
                valid = f"&top.{stream}_valid" if ports.has_valid else f"&top.{stream}"
                ready = f"&top.{stream}_ready" if ports.has_ready else "nullptr"
                fields = ", ".join(f"PORT(top.{stream}_{field})" for field in ports.fields)
                yield f"        {{{valid}, {ready}, {{{fields}}}}},\n"

        return f"""\
#include "V{name}.h"
using Model = V{name};
static Ports bind(Model& top) {{
    return {{{{
{"".join(rows(self.inputs))}    }}, {{
{"".join(rows(self.outputs))}    }}, {{
        {", ".join(f"PORT(top.{level})" for level in self.levels)}
    }}}};
}}
"""


def _copy(address, kind, shape):
    """Copy of the array that lies at ``address``."""
    if not shape[0]:
        return np.zeros(shape, kind)
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(kind)), shape).copy()


# What core_harness.cpp calls by the same names.
class _Input(ctypes.Structure):
    _fields_ = [("beats", ctypes.c_void_p), ("count", ctypes.c_uint64), ("taken", ctypes.c_uint64)]


class _Output(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("first", "last", "count")),
        *((name, ctypes.c_void_p) for name in ("beats", "cycles")),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("timeout", "until", "n_beats")),
        *((name, ctypes.c_double) for name in ("idle", "busy")),
        *((name, ctypes.c_uint64) for name in ("length", "seed")),
    ]
