"""The core's Verilog as compiled by Verilator, in this process: whole heads in, outputs and clock cycles out."""

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from math import ceil, prod
from pathlib import Path

import numpy as np
from amaranth.lib import data, stream

from golden.core.plane_loader import integer_and_fraction, value
from hdp_hw.core.attention_core import AttentionCore
from hdp_hw.driver import verilator
from hdp_hw.generate import ports_of, to_verilog
from hdp_hw.settings import HeadError, Verdict

HARNESS = Path(__file__).with_name("core_harness.cpp")
CACHE = Path("build", "simulator")  #: compiled models, a folder each, named by a digest of all that went into it
PLANES = ("integer", "fraction", "value")


class SimulationError(RuntimeError):
    """A simulation that did not end as it should; the message says what was missing, or left over."""


@dataclass(frozen=True, eq=False)
class Job:
    """One head to run.

    settings : HeadSettings; q [n_q, d], k and v [n_k, d] : integers of 2w bits; beats : ``{plane: beats}`` of
    golden.core.plane_loader that replace those of the operands.
    """

    settings: object
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    beats: dict = field(default_factory=dict)

    def planes(self, params):
        """``{plane: beats}``, one tuple of fields a beat."""
        integer, fraction = integer_and_fraction(self.q, self.k, params)
        return {"integer": integer, "fraction": fraction, "value": value(self.v, params), **self.beats}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one head produced.

    output : int64 [n_q, d], None after an error; done : clock cycle in which its status was taken;
    n_visited, n_kept : blocks; theta_head : its importance.
    """

    output: np.ndarray | None
    verdict: Verdict
    error: HeadError
    n_visited: int
    n_kept: int
    theta_head: int
    done: int


@dataclass(frozen=True, eq=False)
class Run:
    """What several heads in a row produced; clock cycle 0 is the one in which the first settings are offered.

    heads : Outcome of each; first_busy, last_busy, total_busy : clock cycles in which the array worked, the first two
    None if it never did; masks : ``(row, index, word, last)`` of each beat of ``o_mask``; counters : of
    ``o_counters``, since the last reset; cycles : simulated.
    """

    heads: list
    first_busy: int | None
    last_busy: int | None
    total_busy: int
    masks: list
    counters: dict
    cycles: int

    @property
    def array_time(self):
        """Clock cycles from the array's first to its last."""
        return 0 if self.first_busy is None else self.last_busy - self.first_busy + 1


@dataclass(frozen=True)
class Stalls:
    """How streams hold back: in a clock cycle, with probability ``idle`` (of inputs) and ``busy`` (of outputs).

    length : clock cycles of every hold; seed : of the random numbers.
    """

    idle: float = 0.0
    busy: float = 0.0
    length: int = 1
    seed: int = 1

    @property
    def slowdown(self):
        """Factor by which an input and an output that take turns slow down on average."""
        return (1 + self.idle * self.length) * (1 + self.busy * self.length)


NO_STALLS = Stalls()


class CoreSimulation:
    """A core, compiled and simulated; runs follow each other without a reset unless :meth:`reset` is called.

    Parameters
    ----------
    params : HdpParams
    cache : pathlib.Path
        Where compiled models are kept.

    Raises
    ------
    SimulatorMissing
        When Verilator or a C++ compiler is not installed.
    """

    def __init__(self, params, cache=CACHE):
        self.params = params
        self.model = CompiledModel(AttentionCore(params), "hdp_core", cache)

    @property
    def verilog(self):
        """Text of the simulated module."""
        return self.model.verilog

    def reset(self):
        """Forget all heads inside, and the counters."""
        self.model.reset()

    def run(self, jobs, stalls=NO_STALLS, timeout=None):
        """Run ``jobs`` (Job), back to back; returns a Run.

        ``timeout`` is in clock cycles; without, it is several times what the dense rule takes. Raises SimulationError
        when it passes before the last status, or when beats are left over after that.
        """
        beats = {"i_settings": [tuple(vars(job.settings).values()) for job in jobs]}
        planes = [job.planes(self.params) for job in jobs]
        for name in PLANES:
            beats[f"i_{name}"] = [beat for plane in planes for beat in plane[name]]
        if timeout is None:
            timeout = ceil(stalls.slowdown * self._generous_time(jobs, beats))
        outputs, taken, cycles = self.model.run(beats, "o_status", len(jobs), timeout, stalls)

        statuses, matrices = outputs["o_status"], outputs["o"]
        left = ", ".join(f"{len(beats[name]) - n} beats of {name}" for name, n in taken.items() if n < len(beats[name]))
        if statuses.count < len(jobs):
            raise SimulationError(
                f"{statuses.count} of {len(jobs)} heads ended in {cycles} clock cycles; {matrices.count} beats came "
                f"out, and the core did not take {left or 'no more than was there'}"
            )
        if left:
            raise SimulationError(f"all {len(jobs)} heads ended, but the core did not take {left}")
        busy, masks = outputs["o_busy"], outputs["o_mask"]
        return Run(
            self._outcomes(jobs, statuses, matrices),
            busy.first if busy.count else None,
            busy.last if busy.count else None,
            busy.count,
            list(zip(*(masks[name].tolist() for name in ("row", "index", "word", "last")))),
            self.model.levels("o_counters"),
            cycles,
        )

    def _outcomes(self, jobs, statuses, matrices):
        """Outcome of each job."""
        elements = matrices.elements("data", self.params.out_lanes)
        ends = np.flatnonzero(matrices["last"]) + 1
        outputs = iter(np.split(elements, ends))  # the last piece is what belongs to no head
        fields = {name: statuses[name].tolist() for name in ("verdict", "error", "n_visited", "n_kept", "theta_head")}
        outcomes = []
        for job, done, *status in zip(jobs, statuses.cycles.tolist(), *fields.values()):
            status = dict(zip(fields, status))
            verdict, error = Verdict(status.pop("verdict")), HeadError(status.pop("error"))
            output = None if verdict == Verdict.ERROR else next(outputs, np.zeros(0))
            if output is not None:
                shape = job.q.shape
                if output.size != prod(shape):
                    raise SimulationError(f"head {len(outcomes)} has {output.size} output elements, not {shape}")
                output = output.reshape(shape)
            outcomes.append(Outcome(output, verdict, error, done=done, **status))
        rest = sum(map(len, outputs))
        if rest:
            raise SimulationError(f"{rest} output beats belong to no head")
        return outcomes

    def _generous_time(self, jobs, beats):
        """Clock cycles in which the jobs end surely, if nothing stalls."""
        blocks = [ceil(job.q.shape[0] / self.params.tile) * ceil(job.k.shape[0] / self.params.tile) for job in jobs]
        array = sum(n * 4 * self.params.slices(job.q.shape[1]) for n, job in zip(blocks, jobs))
        drain = sum(ceil(job.q.size / self.params.out_lanes) for job in jobs)
        return 20_000 + 4 * (array + drain + sum(map(len, beats.values())))


@dataclass(frozen=True, eq=False)
class Beats:
    """Beats of one output stream: in which clock cycles they came, and their fields."""

    count: int
    first: int
    last: int
    cycles: np.ndarray
    fields: dict  # {field: (uint8 [count, bytes], width)}

    def __getitem__(self, name):
        """uint64 [count] of one field."""
        return _to_integers(*self.fields[name], 1)[:, 0]

    def elements(self, name, n):
        """int64 [count, n] of one field that is an array of ``n`` signed elements."""
        array, width = self.fields[name]
        each = width // n
        unsigned = _to_integers(array, width, n).astype(np.int64)
        return unsigned - ((unsigned >> (each - 1)) << each)


class CompiledModel:
    """Verilog of a component whose ports are streams, compiled together with core_harness.cpp and loaded.

    Besides streams, an output structure with the field ``valid`` counts as a stream that is always taken, a one-bit
    output as a stream without fields, and any other output as a level, which can be read after a run.

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
    """

    def __init__(self, component, name, cache=CACHE):
        self.inputs, self.outputs, self._levels = _streams_of(component)
        self.verilog = to_verilog(component, name)
        self._library = ctypes.CDLL(str(_compiled(self.verilog, name, self._binding(name), Path(cache)).resolve()))
        self._library.harness_create.restype = ctypes.c_void_p
        self._library.harness_run.restype = ctypes.c_uint64
        self._harness = ctypes.c_void_p(self._library.harness_create())

    def __del__(self):
        if hasattr(self, "_harness"):
            self._library.harness_destroy(self._harness)

    def reset(self):
        """Hold the module in reset for some clock cycles."""
        self._library.harness_reset(self._harness)

    def run(self, beats, until, n_beats, timeout, stalls=NO_STALLS):
        """Run the clock until the output ``until`` has had ``n_beats`` beats, or ``timeout`` clock cycles.

        beats : ``{input: [(value of each field)]}``, a value being an integer or an array of them, the first lowest.
        Returns ``({output: Beats}, {input: beats taken}, clock cycles)``.
        """
        encoded = [self._encode(name, beats[name]) for name in self.inputs]
        inputs = (_Input * len(encoded))(*(_Input(array.ctypes.data, len(array), 0) for array in encoded))
        outputs = (_Output * len(self.outputs))()
        index = list(self.outputs).index(until)
        options = _Options(timeout, index, n_beats, stalls.idle, stalls.busy, stalls.length, stalls.seed)
        cycles = self._library.harness_run(self._harness, inputs, outputs, ctypes.byref(options))
        received = {name: self._decode(name, output) for name, output in zip(self.outputs, outputs)}
        return received, {name: entry.taken for name, entry in zip(self.inputs, inputs)}, cycles

    def levels(self, prefix):
        """``{name: value}`` of the levels whose port is called ``<prefix>_<name>``."""
        array = np.zeros(sum(map(_stored_bytes, self._levels.values())), np.uint8)
        self._library.harness_levels(self._harness, ctypes.c_void_p(array.ctypes.data))
        values = _split(array[None, :], self._levels)
        return {
            port.removeprefix(f"{prefix}_"): int(_to_integers(*value, 1)[0, 0])
            for port, value in values.items()
            if port.startswith(f"{prefix}_")
        }

    def _encode(self, name, beats):
        """uint8 [beats, bytes]."""
        fields = self.inputs[name].fields
        columns = zip(*beats) if beats else [[]] * len(fields)
        return np.concatenate([_to_bytes(list(x), width) for x, width in zip(columns, fields.values())], 1)

    def _decode(self, name, output):
        fields = self.outputs[name].fields
        n_bytes = sum(map(_stored_bytes, fields.values()))
        n = output.count if fields else 0
        array = np.ctypeslib.as_array(ctypes.cast(output.beats, _BYTES), (n, n_bytes)) if n else np.zeros((0, n_bytes))
        cycles = np.ctypeslib.as_array(ctypes.cast(output.cycles, _LONGS), (n,)) if n else np.zeros(0)
        split = _split(array.astype(np.uint8), fields)
        return Beats(output.count, output.first, output.last, cycles.astype(np.int64), split)

    def _binding(self, name):
        """Text of binding.h."""

        def row(stream_name, ports):
            fields = ", ".join(f"PORT(top.{stream_name}_{key})" for key in ports.fields)
            valid = f"top.{stream_name}_valid" if ports.has_valid else f"top.{stream_name}"
            ready = f"&top.{stream_name}_ready" if ports.has_ready else "nullptr"
            return f"        {{&{valid}, {ready}, {{{fields}}}}},"

        return "\n".join(
            [
                f'#include "V{name}.h"',
                f"using Model = V{name};",
                "static Ports bind(Model& top) {",
                "    return {&top.aclk, &top.aresetn, {",
                *(row(*item) for item in self.inputs.items()),
                "    }, {",
                *(row(*item) for item in self.outputs.items()),
                "    }, {",
                *(f"        PORT(top.{port})," for port in self._levels),
                "    }};",
                "}",
                "",
            ]
        )


@dataclass(frozen=True)
class _StreamPorts:
    """``{field: width}`` of a stream, and which of its handshake ports exist."""

    fields: dict
    has_valid: bool
    has_ready: bool


def _streams_of(component):
    """``({input: _StreamPorts}, {output: _StreamPorts}, {level: width})`` of a component."""
    widths = {name: (direction, width) for name, direction, width in ports_of(component)}
    inputs, outputs, levels = {}, {}, {}
    for name, member in component.signature.members.items():
        if member.is_signature:
            assert isinstance(member.signature, stream.Signature), f"{name} is neither stream nor port"
            fields = [key for key, _ in member.signature.members["payload"].shape]
            handshake = True, True
        elif isinstance(member.shape, data.StructLayout):
            fields = [key for key, _ in member.shape]
            handshake = "valid" in fields, False
            if not handshake[0]:
                levels |= {f"{name}_{key}": widths[f"{name}_{key}"][1] for key in fields}
                continue
            fields.remove("valid")
        else:
            fields, handshake = [], (False, False)
            if widths[name] != ("output", 1):
                levels[name] = widths[name][1]
                continue
        ports = _StreamPorts({key: widths[f"{name}_{key}"][1] for key in fields}, *handshake)
        (inputs if widths.get(f"{name}_valid", ("output",))[0] == "input" else outputs)[name] = ports
    return inputs, outputs, levels


def _compiled(verilog, name, binding, cache):
    """Path of the shared library, which is built unless that has been done already."""
    verilate = [verilator.binary(), "--cc", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert"]
    verilate += ["-Wno-fatal", "-Wno-lint", "--top-module", name, "--prefix", f"V{name}", "-Mdir", ".", f"{name}.v"]
    build = ["c++", "-O1", "-w", "-std=gnu++17", "-fPIC", "-fvisibility=hidden", "-shared", "-pthread", "-I."]
    build += [*verilator.compiler_arguments(), "all.cpp", *verilator.runtime_sources(), "-o", f"{name}.partial"]
    ingredients = [verilog, binding, HARNESS.read_text(), verilator.version(), *verilate[1:], *build]
    digest = hashlib.sha256("\n".join(ingredients).encode()).hexdigest()[:16]
    folder = Path(cache, f"{name}-{digest}")
    library = folder / f"{name}.so"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:  # two processes may want the same model
        fcntl.flock(lock, fcntl.LOCK_EX)
        if library.exists():
            return library
        if not shutil.which("c++"):
            raise verilator.SimulatorMissing("there is no C++ compiler (c++): apt-get install g++")
        (folder / f"{name}.v").write_text(verilog)
        (folder / "binding.h").write_text(binding)
        shutil.copy(HARNESS, folder)
        with open(folder / "build.log", "w") as log:
            _command(verilate, folder, log)
            sources = [HARNESS.name, *sorted(path.name for path in folder.glob(f"V{name}*.cpp"))]
            (folder / "all.cpp").write_text("".join(f'#include "{source}"\n' for source in sources))
            _command(build, folder, log)  # one compilation: most of it is reading Verilator's headers
        (folder / f"{name}.partial").rename(library)
    return library


def _command(command, folder, log):
    """Run a step of the build; its words go to ``log``."""
    environment = os.environ | verilator.environment()
    code = subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=False).returncode
    if code:
        words = Path(log.name).read_text()[-2000:]
        raise SimulationError(f"{command[0]} in {folder} ended with code {code}:\n{words}")


class _Input(ctypes.Structure):
    _fields_ = [("beats", ctypes.c_void_p), ("count", ctypes.c_uint64), ("taken", ctypes.c_uint64)]


class _Output(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("first", "last", "count")),
        ("beats", ctypes.c_void_p),
        ("cycles", ctypes.c_void_p),
    ]


class _Options(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("timeout", "until", "n_beats")),
        *((name, ctypes.c_double) for name in ("idle", "busy")),
        *((name, ctypes.c_uint64) for name in ("length", "seed")),
    ]


_BYTES, _LONGS = ctypes.POINTER(ctypes.c_uint8), ctypes.POINTER(ctypes.c_uint64)


def _stored_bytes(width):
    """Bytes in which Verilator stores a port."""
    return next((size for size in (1, 2, 4, 8) if width <= 8 * size), 4 * ceil(width / 32))


def _to_bytes(values, width):
    """uint8 [n, bytes] of n integers, or n arrays of them, that fill a port of ``width`` bits."""
    array = np.array(values, np.int64).reshape(len(values), -1)
    each = width // max(1, array.shape[1])
    bits = (array[:, :, None] >> np.arange(each)) & 1
    packed = np.packbits(bits.astype(np.uint8).reshape(len(values), width), 1, bitorder="little")
    return np.pad(packed, [(0, 0), (0, _stored_bytes(width) - packed.shape[1])])


def _to_integers(array, width, n):
    """uint64 [beats, n] of the ``n`` elements of a port stored in uint8 [beats, bytes]."""
    bits = np.unpackbits(array, axis=1, count=width, bitorder="little").reshape(len(array), n, width // n)
    return (bits.astype(np.uint64) << np.arange(width // n, dtype=np.uint64)).sum(-1, dtype=np.uint64)


def _split(array, fields):
    """``{field: (uint8 [beats, bytes], width)}`` of beats, the fields of which follow each other."""
    ends = np.cumsum([_stored_bytes(width) for width in fields.values()])
    return {key: (part, width) for part, (key, width) in zip(np.split(array, ends[:-1], 1), fields.items())}
