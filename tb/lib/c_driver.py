"""The C driver as a library in this process: its types, and what it reads and writes registers with."""

import ctypes
import subprocess

import numpy as np

from hdp_hw.spec.configs import NAMES
from hdp_hw.spec.formats import ADDRESSES
from tb.lib.simulation import ROOT

SOURCES = ROOT / "hdp_hw" / "driver" / "c"
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
ERRORS = (
    "OK", "NO_CORE", "OTHER_VERSION", "UNSUPPORTED", "ILLEGAL_JOB", "BUFFER_TOO_SMALL", "BUFFER_MISPLACED", "BUSY",
    "WRITING", "NO_ANSWER", "FAILED", "NO_IMAGE", "OTHER_FORMAT", "CUT_IMAGE", "DAMAGED_IMAGE", "OTHER_CORE",
    "ILLEGAL_TOKENS",
)  # fmt: skip
ACCESS = """
#include "hdp_model.h"
uint32_t (*read_hook)(uintptr_t base, uint32_t offset);
void (*write_hook)(uintptr_t base, uint32_t offset, uint32_t value);
uint32_t hdp_read32(uintptr_t base, uint32_t offset) { return read_hook(base, offset); }
void hdp_write32(uintptr_t base, uint32_t offset, uint32_t value) { write_hook(base, offset, value); }
"""
READ = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_size_t, ctypes.c_uint32)
WRITE = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32)


def structure(name, **fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields.items())})


u8, u16, u32, u64, flag = ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_bool
Params = structure("Params", **dict.fromkeys(NAMES, u32))
Device = structure("Device", base=ctypes.c_size_t, params=Params, failures=u32, job_id=u16, head=u16)
Thresholds = structure(
    "Thresholds", mult=u8, shift=u8, rho=ctypes.c_int16, margin=u32, kappa=u8, kappa_shift=u8, log_mass=u16,
    tau_head=u32, min_keep=u16,
)  # fmt: skip
Job = structure(
    "Job", n_heads=u16, n_kv_heads=u16, n_q=u16, n_k=u16, head_dim=u16, rule=u8, causal=flag, compensate=flag,
    mean_output=flag, per_head=flag, thresholds=ctypes.POINTER(Thresholds), timeout=u32,
)  # fmt: skip
Buffer = structure("Buffer", bytes=ctypes.c_void_p, address=u64, size=u64)
Region = structure("Region", offset=u64, row_stride=u32, head_stride=u32, size=u64)
Layout = structure("Layout", regions=Region * len(ADDRESSES), size=u64)
Model = structure(
    "Model", device=ctypes.POINTER(Device), buffer=Buffer, features=u32, results=u32, max_tokens=u32, first_job=u32
)
Record = structure("Record", head=u16, verdict=u8, error=u8, n_visited=u32, n_kept=u32, theta_head=u64)


def build(folder, more=""):
    """The driver, and further text of C, compiled into a ctypes.CDLL whose registers :func:`connect` finds."""
    (folder / "access.c").write_text(ACCESS + more)
    command = ["cc", *FLAGS, "-O1", "-fPIC", "-shared", "-DHDP_EXTERNAL_ACCESS", f"-I{SOURCES}"]
    sources = [SOURCES / "hdp.c", SOURCES / "hdp_model.c", "access.c"]
    subprocess.run([*command, *sources, "-o", "hdp.so"], cwd=folder, check=True)
    library = ctypes.CDLL(str(folder / "hdp.so"))
    for name, result in (("illegal", ctypes.c_char_p), ("failure", ctypes.c_char_p), ("error_text", ctypes.c_char_p),
                         ("layout_of", Layout), ("record_of", Record), ("counter", u64),
                         ("model_memory", u64)):  # fmt: skip
        getattr(library, f"hdp_{name}").restype = result
    return library


def connect(library, read, write):
    """Let the driver use these functions of C."""
    for name, function in (("read_hook", read), ("write_hook", write)):
        ctypes.c_void_p.in_dll(library, name).value = ctypes.cast(function, ctypes.c_void_p).value


def device_of(params):
    """A Device as if it had been opened, for what needs no registers."""
    return Device(params=Params(*(getattr(params, name) for name in NAMES)))


def job_of(job):
    """Job of a LayerJob; it has a table where the LayerJob's heads differ."""
    names = [name for name, _ in Thresholds._fields_]
    table = (Thresholds * len(job.q))(*(tuple(getattr(head, name) for name in names) for head in job.settings))
    settings = job.settings[0]
    shared = (settings.rule, settings.causal, settings.compensate, settings.mean_output, job.has_table)
    return Job(
        len(job.q), len(job.k), settings.n_q, settings.n_k, settings.head_dim, *shared, table, job.timeout_cycles
    )


def buffer_of(memory):
    """Buffer of an ArrayMemory."""
    return Buffer(memory.array.ctypes.data, memory.address, memory.size)


def pointer(array):
    """What keeps the array and points to it."""
    return array.ctypes.data_as(ctypes.c_void_p)


def operands_of(job, params):
    """Pointers to q, k and v of a LayerJob as the driver takes them."""
    return [pointer(np.ascontiguousarray(x, f"i{params.operand_width // 8}")) for x in (job.q, job.k, job.v)]


class CDriver:
    """Runs LayerJobs on a SimulatedBus through the C driver."""

    def __init__(self, library, bus):
        self.library, self.device, self.buffer = library, Device(), buffer_of(bus.memory)
        connect(library, bus.library.harness_read32, bus.library.harness_write32)
        self.call("open", ctypes.c_size_t(bus.handle.value))

    def call(self, name, *arguments):
        """Name of the error that a function gives."""
        return ERRORS[getattr(self.library, f"hdp_{name}")(ctypes.byref(self.device), *arguments)]

    def run(self, job, params, polls=10**7):
        """``(output, records)``, or the name of an error."""
        of_job, places = ctypes.byref(c_job := job_of(job)), ctypes.byref(self.buffer)
        for step in (
            lambda: self.call("pack", of_job, places, *operands_of(job, params)),
            lambda: self.call("start", of_job, places),
            lambda: self.call("wait", u32(polls)),
        ):
            if (error := step()) != "OK":
                return error
        output = np.zeros(job.q.shape, f"i{params.operand_width // 8}")
        self.library.hdp_unpack(ctypes.byref(self.device), of_job, places, pointer(output))
        record_of = self.library.hdp_record_of
        records = [record_of(ctypes.byref(self.device), of_job, places, u16(h)) for h in range(c_job.n_heads)]
        return output, records

    def text(self, error):
        """What the driver says of an error."""
        return self.library.hdp_error_text(ctypes.byref(self.device), ERRORS.index(error)).decode()
