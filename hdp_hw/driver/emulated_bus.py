"""The golden model behind the register map: a co-processor and its memory, without the hardware."""

import time

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.backend import COUNTERS
from hdp_hw.driver.checks import whole
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.memory_job import JobFault, MemoryJob
from hdp_hw.driver.memory_mapped import ArrayMemory
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.registers import WORD_BYTES

BY_ADDRESS = {register.address: register for register in REGISTERS}
JOB_WORDS = [register for register in REGISTERS if register.group in ("job", "encoder")]


class EmulatedBus:
    """A :class:`hdp_hw.driver.backend.Bus`. A job runs at once when it is started, with all that CHAIN joins.

    Bits, bytes and clock cycles are those of the hardware with an idle memory that never stalls, as far as
    :class:`hdp_hw.driver.emulator.Emulator` knows them.

    Parameters
    ----------
    params : HdpParams
    size, address : int
        Bytes of the buffer, and where the co-processor sees its first; outside there is DECERR.
    read_latency, write_latency, timed
        As of the Emulator.

    Attributes
    ----------
    memory : ArrayMemory
    runs : list
        ``(kind, counters)`` of each job that ended well since the last start; kinds are those of MemoryJob.
    """

    def __init__(
        self,
        params: HdpParams,
        size: int = 1 << 26,
        address: int = 0x1000_0000,
        read_latency: int = 1,
        write_latency: int = 1,
        timed: bool = True,
    ) -> None:
        self.emulator = Emulator(params, read_latency, write_latency, timed)
        self.params = params
        self.memory = ArrayMemory(np.zeros(whole("size", size, 1), np.uint8), whole("address", address, 0))
        self.reset()

    def reset(self) -> None:
        """As aresetn."""
        self.words = {register.address: register.reset or 0 for register in REGISTERS}
        for register in REGISTERS:
            if register.group == "parameters":
                self.words[register.address] = getattr(self.params, register.name.lower())
        self.counters = dict.fromkeys(COUNTERS, 0)
        self.runs: list[tuple[str, dict[str, int]]] = []
        self._set("STATUS", queue_free=2)

    # -- the bus ------------------------------------------------------------------------------------------------------
    def read32(self, address: int) -> int:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        return self.words[address]

    def write32(self, address: int, value: int) -> None:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        register = BY_ADDRESS[address]
        if register.name == "IRQ_STATUS":
            self.words[address] &= ~value
        elif register.name == "CONTROL":
            self._control(**register.unpack(value))
        else:
            self.words[address] = sum(value & field.mask for field in register.fields)

    def wait(self, seconds: float) -> bool:
        """See :class:`hdp_hw.driver.backend.Bus`."""
        if not (high := bool(self._get("IRQ_STATUS") & self._get("IRQ_ENABLE"))):
            time.sleep(min(seconds, 0.001))
        return high

    def _get(self, name: str) -> int:
        return self.words[BY_NAME[name].address]

    def _set(self, name: str, **fields: int) -> None:
        register = BY_NAME[name]
        self.words[register.address] = register.pack(**register.unpack(self.words[register.address]) | fields)

    # -- jobs ---------------------------------------------------------------------------------------------------------
    def _control(self, start: int, abort: int, reset: int, clear_counters: int) -> None:
        if clear_counters:
            self.counters = dict.fromkeys(COUNTERS, 0)
        if reset:
            self.reset()
        elif start:
            self._start()
        for name, count in self.counters.items():
            self._set(f"{name.upper()}_LOW", value=count & 0xFFFFFFFF)
            self._set(f"{name.upper()}_HIGH", value=count >> 32)

    def _start(self) -> None:
        self.runs = []
        while True:
            job = MemoryJob(self._job_fields(), self.memory, self.params)
            try:
                counters, descriptor = job.run(self.emulator), job.following()
            except JobFault as fault:
                self._set("IRQ_STATUS", **{fault.bit: 1})
                self._set("ERROR_INFO", job=self._get("JOB_ID"), head=fault.head)
                self._ended(failed=1)
                break
            self.runs.append((job.kind, counters))
            for name, count in counters.items():
                self.counters[name] += count
            if counters["heads_fallback"]:
                self._set("IRQ_STATUS", fallback=1)
            self._ended()
            if descriptor is None:
                break
            self._load(descriptor)
        self._set("IRQ_STATUS", job_done=1)

    def _job_fields(self) -> dict[str, int]:
        """``{member of the job registers: value}``."""
        members = dict[str, int]()
        for register in JOB_WORDS:
            values = register.unpack(self.words[register.address])
            members |= dict(zip(register.members, values.values()))
        return members

    def _load(self, descriptor: NDArray[np.uint32]) -> None:
        """The job registers of a descriptor."""
        base = BY_NAME["JOB_ID"].address
        for register in JOB_WORDS:
            word = int(descriptor[(register.address - base) // WORD_BYTES])
            self.words[register.address] = sum(word & field.mask for field in register.fields)

    def _ended(self, failed: int = 0) -> None:
        done = BY_NAME["STATUS"].unpack(self._get("STATUS"))["jobs_done"]
        self._set("STATUS", jobs_done=(done + 1) & 0xFFFF)
        self._set("LAST_JOB", job=self._get("JOB_ID"), failed=failed)
