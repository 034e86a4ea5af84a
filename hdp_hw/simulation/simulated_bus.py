"""The co-processor's Verilog under Verilator as a bus: no cocotb, no other process."""

import ctypes
from dataclasses import astuple, dataclass
from functools import cache

import numpy as np

from hdp_hw.driver.checks import number, whole
from hdp_hw.driver.errors import SimulationError
from hdp_hw.driver.memory_mapped import ArrayMemory
from hdp_hw.simulation.library import CACHE, load
from hdp_hw.spec.params import ParameterError

WAIT_CYCLES = 10_000  #: after which `wait` returns at the latest
RESPONSES = ("OKAY", "EXOKAY", "SLVERR", "DECERR")


@dataclass(frozen=True)
class MemoryTiming:
    """How fast the memory answers. It gives a beat per clock cycle where nothing stalls, in the order of the requests.

    read_latency, write_latency : clock cycles from a read's request to its first beat, and from a write's last word to
    its response, 1 at least. ar, r, aw, w, b : probability that a channel stalls in a clock cycle; 1.0 for ever.
    """

    read_latency: int = 1
    write_latency: int = 1
    ar: float = 0.0
    r: float = 0.0
    aw: float = 0.0
    w: float = 0.0
    b: float = 0.0

    def __post_init__(self) -> None:
        for name in ("read_latency", "write_latency"):
            whole(name, getattr(self, name), 1)
        for name in ("ar", "r", "aw", "w", "b"):
            number(name, getattr(self, name), 0, 1)


SILENT = MemoryTiming(ar=1.0, r=1.0, aw=1.0, w=1.0, b=1.0)  #: a memory that has stopped answering


class SimulatedBus:
    """A :class:`hdp_hw.driver.backend.Bus`: hdp_top, the master of its registers, and a memory at its AXI port.

    Time stands still but for accesses to registers, :meth:`wait` and :meth:`run`.

    Parameters
    ----------
    params : HdpParams
    size, address : int
        Bytes of the buffer, and where the co-processor sees its first; outside there is DECERR.
    timing : MemoryTiming
    seed : int
        Of the stalls.
    cache : pathlib.Path
        Where compiled models are kept; a new one takes a minute or more.

    Raises
    ------
    SimulatorMissing
        When Verilator or a C++ compiler is not installed.
    BuildError
    """

    def __init__(self, params, size=1 << 26, address=0x1000_0000, timing=MemoryTiming(), seed=1, cache=CACHE):
        whole("size", size, 1)
        if whole("address", address, 0) % params.bus_bytes:
            raise ParameterError("address", hex(address), f"multiples of {params.bus_bytes}, the bytes of a bus word")
        whole("seed", seed, 0, (1 << 64) - 1)
        if not isinstance(timing, MemoryTiming):
            raise ParameterError("timing", timing, "a MemoryTiming")
        self.library = library_of(params, cache)
        self.memory = ArrayMemory(np.zeros(size, np.uint8), address)
        self._memory = _Memory(self.memory.array.ctypes.data, address, size)
        self.timing = timing
        self.handle = ctypes.c_void_p(self.library.harness_create(ctypes.byref(self._memory), seed))
        self._state = self.library.harness_state(self.handle).contents

    def __del__(self):
        if hasattr(self, "handle"):
            self.library.harness_destroy(self.handle)

    # -- the bus ------------------------------------------------------------------------------------------------------
    def read32(self, address):
        """See :class:`hdp_hw.driver.backend.Bus`. Raises SimulationError where the response is not OKAY."""
        value = self.library.harness_read32(self.handle, address)
        self._check(address)
        return value

    def write32(self, address, value):
        """See :class:`hdp_hw.driver.backend.Bus`. Raises SimulationError where the response is not OKAY."""
        self.library.harness_write32(self.handle, address, value)
        self._check(address)

    def wait(self, seconds):
        """Run the clock until ``irq`` is high, for WAIT_CYCLES at most, however long that takes."""
        self.run(WAIT_CYCLES, until_irq=True)
        return self.irq

    def _check(self, address=None):
        violation, response = self._state.violation, self._state.response
        if violation:
            raise SimulationError(f"hdp_top broke a rule of AXI: {violation.decode()}")
        if address is not None and response:
            raise SimulationError(f"register {address:#x} answered {RESPONSES[response]}")

    # -- the clock ----------------------------------------------------------------------------------------------------
    def run(self, cycles, until_irq=False):
        """Pass some clock cycles; with ``until_irq``, fewer if that is high.

        Raises SimulationError if hdp_top broke a rule of AXI.
        """
        self.library.harness_run(self.handle, cycles, until_irq)
        self._check()

    def reset(self):
        """Hold ``aresetn`` low for some clock cycles, which do not count; the memory forgets what it was asked."""
        self.library.harness_reset(self.handle)

    @property
    def irq(self):
        """Whether the interrupt is high."""
        return bool(self._state.irq)

    @property
    def cycle(self):
        """Clock cycles that have passed."""
        return self._state.cycle

    @property
    def job_cycles(self):
        """Clock cycles from the one that took the last write of CONTROL.start to the one in which irq last rose."""
        return self._state.rise - self._state.start

    # -- the memory ---------------------------------------------------------------------------------------------------
    @property
    def timing(self):
        """MemoryTiming from now on."""
        return self._timing

    @timing.setter
    def timing(self, timing):
        self._timing = timing
        for (name, _), value in zip(_Memory._fields_[3:], astuple(timing)):
            setattr(self._memory, name, value)

    def fail(self, address, n_bytes, read=0, write=0):
        """From now on, answer accesses to bus words that hold any of these bytes, and no others, with these responses.

        ``read`` and ``write`` are :class:`hdp_hw.rtl.shell.axi.Response`. ``n_bytes`` = 0 makes all well again.
        """
        memory = self._memory
        memory.fault_begin, memory.fault_end = address, address + n_bytes
        memory.read_fault, memory.write_fault = read, write


def library_of(params, cache=CACHE):
    """The compiled model of hdp_top with ``params``, a ctypes.CDLL."""
    library = load(_verilog_of(params), "hdp_top", "top_harness.cpp", cache)
    library.harness_create.restype = ctypes.c_void_p
    library.harness_create.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
    library.harness_state.restype = ctypes.POINTER(_State)
    library.harness_read32.restype = ctypes.c_uint32
    library.harness_write32.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    library.harness_run.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_int]
    return library


@cache
def _verilog_of(params):
    """Text of hdp_top: it takes seconds to make."""
    from hdp_hw.rtl.shell.hdp_top import HdpTop
    from hdp_hw.rtl.verilog import to_verilog  # Amaranth, which the driver does without

    return to_verilog(HdpTop(params), "hdp_top")


# What top_harness.cpp calls by the same names.
class _Memory(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("bytes", "base", "size", "read_latency", "write_latency")),
        *((name, ctypes.c_double) for name in ("ar", "r", "aw", "w", "b")),
        *((name, ctypes.c_uint64) for name in ("fault_begin", "fault_end", "read_fault", "write_fault")),
    ]


class _State(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("cycle", "start", "rise", "irq", "response")),
        ("violation", ctypes.c_char_p),
    ]
