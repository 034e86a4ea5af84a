"""A back end that programs the registers of hdp_top, on whatever bus."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hdp_hw.driver.backend import COUNTERS, Bus, LayerJob, LayerRun
from hdp_hw.driver.checks import number
from hdp_hw.driver.errors import CURES, HdpError, JobError, NoAnswer, UnsupportedCore
from hdp_hw.driver.memory_layout import MODES, JobLayout, Region, pack_job, table_entry, unpack_run
from hdp_hw.spec.formats import ADDRESSES, ENCODER_ADDRESSES, ENTRY_REGISTERS, STRIDES
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import HeadSettings

STOP_SECONDS = 5.0  #: how long an abort may take


class BusBackend:
    """A co-processor behind a :class:`hdp_hw.driver.backend.Bus`.

    Parameters
    ----------
    bus : Bus
    seconds : float
        How long a job may take on this side of the bus. In clock cycles the co-processor itself watches it.

    Raises
    ------
    UnsupportedCore
        When what answers is not a co-processor of this register map, or has parameters that are not legal.
    """

    def __init__(self, bus: Bus, seconds: float = 60.0) -> None:
        number("seconds", seconds, 0, unit="seconds")
        self.bus, self.seconds = bus, seconds
        self.params = identify(bus)
        self._job_id = 0

    def run(self, job: LayerJob) -> LayerRun:
        """LayerRun of a LayerJob. Raises HdpError, and ParameterError if the buffer does not suit the job."""
        layout = JobLayout.of(job, self.params)
        self.check_buffer(layout.size, "this layer")
        self.prepare()
        for name, content in pack_job(job, self.params, self.bus.memory.address).items():
            self.bus.memory.write(layout.regions[name].offset, content)
        self._job_id = (self._job_id + 1) & 0xFFFF
        words = job_registers(job, layout, self.bus.memory.address, self._job_id, self.params)
        counters = self.execute(words, f"a job of {len(job.settings)} heads")
        return unpack_run(job, self.params, partial(self._region, layout), counters)

    def prepare(self) -> None:
        """See to it that the buffer can be filled: no job runs, and no event is pending. Raises HdpError."""
        if self._read("STATUS")["busy"]:
            raise HdpError("the co-processor has another job: wait for its end, or reset() this back end")
        if not self._until(lambda: not self._read("STATUS")["writing"], STOP_SECONDS):
            raise NoAnswer(
                "the memory has not acknowledged all writes of a job that was stopped, so the buffer cannot be filled. "
                "Cure: find out why it does not answer; then try again, or reset memory and co-processor by aresetn."
            )
        self._acknowledge()

    def execute(self, words: Mapping[str, int], what: str) -> dict[str, int]:
        """``{counter: count}`` of a job, of ``{register: word}``, and of all that CHAIN joins to it.

        The buffer is filled. what : it is, for messages. Raises HdpError.
        """
        for name, word in words.items():
            self.bus.write32(BY_NAME[name].address, word)
        self._write("IRQ_ENABLE", value=BY_NAME["IRQ_STATUS"].pack(job_done=1, queue_full=1))
        self._write("CONTROL", start=1, clear_counters=1)
        self._wait(what)
        failures, where = self._failures(), self._read("ERROR_INFO")
        self._acknowledge()
        if failures:
            raise JobError(*failures, **where)
        return {name: self._counter(name) for name in COUNTERS}

    def reset(self) -> None:
        """Soft reset: all jobs are forgotten. Raises NoAnswer."""
        self._write("CONTROL", reset=1)
        if not self._until(lambda: not self._read("STATUS")["busy"], STOP_SECONDS):
            raise NoAnswer(f"the co-processor is still busy {STOP_SECONDS:g} s after a soft reset: reset it by aresetn")

    # -- steps of a job -----------------------------------------------------------------------------------------------
    def check_buffer(self, n_bytes: int, what: str) -> None:
        """Raise ParameterError unless the buffer holds so many bytes, at an address that is legal."""
        memory, params = self.bus.memory, self.params
        if n_bytes > memory.size:
            raise ParameterError("memory.size", memory.size, f"at least {n_bytes}, which {what} takes")
        end = 1 << params.address_width
        if memory.address % params.bus_bytes or memory.address + n_bytes > end:
            legal = f"multiples of {params.bus_bytes} up to {end - n_bytes:#x}"
            raise ParameterError("memory.address", hex(memory.address), legal)

    def _acknowledge(self) -> None:
        """Clear IRQ_STATUS, and see it cleared: writes may take their time."""
        address = BY_NAME["IRQ_STATUS"].address
        self.bus.write32(address, self._pending())
        if not self._until(lambda: not self._pending(), STOP_SECONDS):
            raise NoAnswer(f"IRQ_STATUS does not clear: it is still {self._pending():#x}")

    def _pending(self) -> int:
        register = BY_NAME["IRQ_STATUS"]
        return self.bus.read32(register.address) & sum(field.mask for field in register.fields)

    def _wait(self, what: str) -> None:
        """Until the job has ended, or could not begin. Raises NoAnswer, with the job stopped."""
        deadline = time.monotonic() + self.seconds
        while (left := deadline - time.monotonic()) > 0:
            self.bus.wait(left)
            status = self._read("IRQ_STATUS")
            if status["job_done"] or status["queue_full"]:
                return
        self._write("CONTROL", abort=1)
        if self._until(lambda: not self._read("STATUS")["busy"], STOP_SECONDS):
            done = "it was aborted"
        else:
            self.reset()
            done = "an abort did not stop it, a soft reset did"
        raise NoAnswer(
            f"no interrupt within {self.seconds:g} s of {what}; {done}. "
            "Cure: check clock, reset and interrupt of the co-processor, or give the back end more seconds."
        )

    def _failures(self) -> list[str]:
        status = self._read("IRQ_STATUS")
        return [bit for bit in CURES if status[bit]]

    def _counter(self, name: str) -> int:
        low, high = (self.bus.read32(BY_NAME[f"{name.upper()}_{half}"].address) for half in ("LOW", "HIGH"))
        return high << 32 | low

    def _region(self, layout: JobLayout, name: str) -> NDArray[np.uint8]:
        region = layout.regions[name]
        return self.bus.memory.read(region.offset, region.n_bytes)

    # -- registers ----------------------------------------------------------------------------------------------------
    def _read(self, name: str) -> dict[str, int]:
        return BY_NAME[name].unpack(self.bus.read32(BY_NAME[name].address))

    def _write(self, name: str, **fields: int) -> None:
        self.bus.write32(BY_NAME[name].address, BY_NAME[name].pack(**fields))

    def _until(self, condition: Callable[[], Any], seconds: float) -> bool:
        """Whether the condition comes true within some seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.bus.wait(0.001)
        return True


def identify(bus: Bus) -> HdpParams:
    """HdpParams of the co-processor on a Bus. Raises UnsupportedCore."""
    register = BY_NAME["ID"]
    found = bus.read32(register.address)
    if found != register.reset:
        raise UnsupportedCore(
            f"register ID is {found:#010x}, not {register.reset:#010x}: no co-processor at this address"
        )
    ours = BY_NAME["VERSION"].unpack(BY_NAME["VERSION"].reset or 0)
    version = BY_NAME["VERSION"].unpack(bus.read32(BY_NAME["VERSION"].address))
    if version["major"] != ours["major"] or version["minor"] < ours["minor"]:
        raise UnsupportedCore(
            f"register VERSION is {version['major']}.{version['minor']}; this driver knows {ours['major']}, "
            f"from {ours['major']}.{ours['minor']} on"
        )
    values = {reg.name.lower(): bus.read32(reg.address) for reg in REGISTERS if reg.group == "parameters"}
    try:
        return HdpParams(**values)
    except ParameterError as error:
        raise UnsupportedCore(f"the parameter registers describe no core that this driver supports: {error}") from None


def job_registers(job: LayerJob, layout: JobLayout, base: int, job_id: int, params: HdpParams) -> dict[str, int]:
    """``{register: word}`` of the job group for a LayerJob whose buffer lies at the address ``base``."""
    settings = (*job.settings, HeadSettings(0, 0, 0))[0]  # nobody looks at those of a norm alone
    mode = {name: int(getattr(settings, name)) for name in MODES}
    words: dict[str, int] = {
        "JOB_ID": job_id,
        "MODE": BY_NAME["MODE"].pack(**mode, planes=job.planes, table_enable=job.has_table, record_enable=1),
        "N_HEADS": len(job.settings),
        "N_KV_HEADS": len(job.k),
        "N_Q": settings.n_q,
        "N_K": settings.n_k,
        "HEAD_DIM": settings.head_dim,
        "TIMEOUT": job.timeout_cycles,
        **dict(zip(ENTRY_REGISTERS, table_entry(settings))),
    }
    addresses = dict.fromkeys(ADDRESSES + ENCODER_ADDRESSES if params.encoder else ADDRESSES, 0)
    addresses |= {name: base + layout.regions[name].offset for name in addresses if name in layout.regions}
    if job.chain:
        addresses["chain"] = job.chain
    for name, address in addresses.items():
        words |= {f"{name.upper()}_LOW": address & 0xFFFFFFFF, f"{name.upper()}_HIGH": address >> 32}
    for name, register in STRIDES.items():
        region = layout.regions.get(name, Region(0, 0, 0, 0))
        words[f"{register.upper()}_ROW_STRIDE"] = region.row_stride
        words[f"{register.upper()}_HEAD_STRIDE"] = region.head_stride
    return words
