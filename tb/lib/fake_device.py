"""A co-processor of plain Python: register map and memory in front of the emulator; and the device files of one."""

import threading
import time
from contextlib import suppress

import numpy as np

from hdp_hw.driver.backend import COUNTERS, LayerJob
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import JobError
from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.bits.shell.plane_reader import Segment, words
from hdp_hw.golden.bits.shell.write_traffic import Output, Target, contents
from hdp_hw.spec.formats import ENTRY_BYTES, ENTRY_REGISTERS, RECORD_BYTES
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import HeadSettings, Rule

UNTOUCHED = 1 << 31  #: of IRQ_STATUS in the file: gone when someone has written there


class FakeCoprocessor:
    """A Bus; jobs run at once when they are started.

    ``faults`` are bits of IRQ_STATUS that the coming jobs end with, one each, None for a job that goes well, ``hang``
    for one that takes an abort to stop, ``dead`` for one that takes a reset, ``silent`` for one that writes no records.
    """

    def __init__(self, params, size=1 << 20, base=0x1000_0000):
        self.params, self.emulator = params, Emulator(params)
        self.data, self.address, self.size = np.zeros(size, np.uint8), base, size
        self.memory = self
        self.faults, self.jobs, self.hung = [], [], None
        self._reset()

    def _reset(self):
        self.words = {register.address: register.reset or 0 for register in REGISTERS}
        for register in REGISTERS:
            if register.group == "parameters":
                self.words[register.address] = getattr(self.params, register.name.lower())
        self.counters, self.hung = dict.fromkeys(COUNTERS, 0), None
        self._set("STATUS", queue_free=2)

    # -- the buffer -------------------------------------------------------------------------------------------------
    def write(self, offset, content):
        self.data[offset : offset + len(content)] = content

    def read(self, offset, n_bytes):
        return self.data[offset : offset + n_bytes].copy()

    def _bytes(self, address, n_bytes):
        begin = address - self.address
        assert 0 <= begin <= begin + n_bytes <= self.size, f"{n_bytes} bytes at {address:#x}"
        return self.data[begin : begin + n_bytes].tobytes()

    # -- registers --------------------------------------------------------------------------------------------------
    def read32(self, address):
        return self.words[address]

    def write32(self, address, value):
        register = next(register for register in REGISTERS if register.address == address)
        assert "w" in register.access and 0 <= value < 1 << 32, f"{value:#x} to {register.name}"
        if register.name == "IRQ_STATUS":
            self.words[address] &= ~value
        elif register.name == "CONTROL":
            self._control(**register.unpack(value))
        else:
            self.words[address] = sum(value & field.mask for field in register.fields)

    def wait(self, seconds):
        if not (high := bool(self._get("IRQ_STATUS") & self._get("IRQ_ENABLE"))):
            time.sleep(min(seconds, 0.001))
        return high

    def _get(self, name):
        return self.words[BY_NAME[name].address]

    def _set(self, name, **fields):
        register = BY_NAME[name]
        self.words[register.address] = register.pack(**register.unpack(self.words[register.address]) | fields)

    def _address(self, name):
        return self._get(f"{name}_HIGH") << 32 | self._get(f"{name}_LOW")

    def _control(self, start, abort, reset, clear_counters):
        if clear_counters:
            self.counters = dict.fromkeys(COUNTERS, 0)
        if abort and self.hung == "hang":
            self._end("aborted")
        if reset:
            self._reset()
        if start:
            self._start()
        for name, count in self.counters.items():
            self._set(f"{name.upper()}_LOW", value=count & 0xFFFFFFFF)
            self._set(f"{name.upper()}_HIGH", value=count >> 32)

    # -- jobs -------------------------------------------------------------------------------------------------------
    def _start(self):
        fault = self.faults.pop(0) if self.faults else None
        if fault == "queue_full":
            self._set("IRQ_STATUS", queue_full=1)
        elif fault in ("hang", "dead"):
            self.hung = fault
            self._set("STATUS", busy=1)
        elif fault in (None, "silent"):
            job = self._job()
            self.jobs.append(job)
            try:
                run = self.emulator.run(job)
            except JobError as error:
                self._end(error.bit)
                return
            self.counters |= run.counters
            if fault is None:
                self._write(job, run)
            self._end()
        else:
            self._end(fault)

    def _end(self, fault=None):
        done = BY_NAME["STATUS"].unpack(self._get("STATUS"))["jobs_done"]
        self._set("STATUS", busy=0, jobs_done=done + 1)
        self._set("LAST_JOB", job=self._get("JOB_ID"), failed=fault is not None)
        self._set("IRQ_STATUS", job_done=1)
        if fault:
            self._set("IRQ_STATUS", **{fault: 1})
            self._set("ERROR_INFO", job=self._get("JOB_ID"), head=1)

    def _job(self):
        """LayerJob that registers and memory describe."""
        mode = BY_NAME["MODE"].unpack(self._get("MODE"))
        n_heads, n_kv_heads, n_q, n_k, d = (
            self._get(name) for name in ("N_HEADS", "N_KV_HEADS", "N_Q", "N_K", "HEAD_DIM")
        )
        assert mode["record_enable"]
        shared = {name: bool(mode[name]) for name in ("causal", "compensate", "mean_output")}
        settings = []
        for head in range(n_heads):
            entry = np.array([self._get(name) for name in ENTRY_REGISTERS], "<u4")
            if mode["table_enable"]:
                entry = np.frombuffer(self._bytes(self._address("TABLE") + ENTRY_BYTES * head, ENTRY_BYTES), "<u4")
            values = {
                key if key != "value" else name.lower(): value
                for name, word in zip(ENTRY_REGISTERS, entry.tolist())
                for key, value in BY_NAME[name].unpack(word).items()
            }
            settings.append(HeadSettings(n_q, n_k, d, Rule(mode["rule"]), **shared, **values))
        q, k = (
            np.stack([self._digits(name, head, rows, d) for head in range(heads)])
            for name, heads, rows in (("Q", n_heads, n_q), ("K", n_kv_heads, n_k))
        )
        v = np.stack([self._rows("VALUE", "VALUE", head, n_k, d, 2) for head in range(n_kv_heads)])
        return LayerJob(q, k, v, tuple(settings), self._get("TIMEOUT"))

    def _digits(self, name, head, n_rows, d):
        integer, fraction = (self._rows(name, f"{name}_{part}", head, n_rows, d, 1) for part in ("INTEGER", "FRACTION"))
        joined = (integer << self.params.digit_width) + fraction
        for mine, theirs in zip(split(joined, self.params.digit_width), (integer, fraction)):
            np.testing.assert_array_equal(mine, theirs)
        return joined

    def _rows(self, strides, place, head, n_rows, d, digits):
        """int64 [n_rows, d] of elements of ``digits`` digits, through the golden model of the plane reader."""
        params, width = self.params, digits * self.params.digit_width
        address = self._address(place) + head * self._get(f"{strides}_HEAD_STRIDE")
        segment = Segment(address, self._get(f"{strides}_ROW_STRIDE"), n_rows, ceil_div(d * width, params.word_width))
        rows = [
            [word >> low & (1 << width) - 1 for low in range(0, params.word_width, width)]
            for word, _, _ in words(self._bytes, [segment], params)
        ]
        unsigned = np.array(rows, np.int64).reshape(n_rows, -1)[:, :d]
        return unsigned - ((unsigned >> (width - 1)) << width)

    def _write(self, job, run):
        for head, (rows, record) in enumerate(zip(run.output, run.heads)):
            address = self._address("OUTPUT") + head * self._get("OUTPUT_HEAD_STRIDE")
            n_q, d = rows.shape
            target = Target(address, self._get("OUTPUT_ROW_STRIDE"), d // self.params.out_lanes)
            numbers = [head | int(record.verdict) << 16, record.n_visited, record.n_kept]
            numbers += [record.theta_head & 0xFFFFFFFF, record.theta_head >> 32, 0, 0, 0]
            entry = self._address("RECORD") + RECORD_BYTES * head, np.array(numbers, "<u4").tobytes()
            for place, content in contents(Output((target,), n_q), [rows], entry, self.params):
                begin = place - self.address
                self.data[begin : begin + len(content)] = np.frombuffer(content, np.uint8)


class FakeDevice(threading.Thread):
    """A FakeCoprocessor as files: ``registers``, and ``udmabuf0`` with its attributes under ``sys``.

    A thread looks at what is written there. ``interrupt`` is a socket that stands for the UIO device's read and write.
    """

    def __init__(self, folder, coprocessor, interrupt=None):
        super().__init__(daemon=True)
        self.coprocessor, self.interrupt = coprocessor, interrupt
        self.registers, self.sysfs, self.dev = folder / "registers", folder / "sys", folder
        attributes = self.sysfs / "udmabuf0"
        attributes.mkdir(parents=True)
        (attributes / "size").write_text(f"{coprocessor.size}\n")
        (attributes / "phys_addr").write_text(f"0x{coprocessor.address:08x}\n")
        self.registers.write_bytes(bytes(4096))
        (folder / "udmabuf0").write_bytes(bytes(coprocessor.size))
        self.file = np.memmap(self.registers, "<u4", "r+")
        coprocessor.data = np.memmap(folder / "udmabuf0", np.uint8, "r+")
        self.stopped, self.n_interrupts, self.armed = threading.Event(), 0, False
        self._publish()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()

    def run(self):
        """What the hardware does, until :attr:`stopped`."""
        control, status = (BY_NAME[name].address for name in ("CONTROL", "IRQ_STATUS"))
        stored = [r.address for r in REGISTERS if r.access == "rw" and r.address != status]
        while not self.stopped.wait(0.0002):
            cleared, command = int(self.file[status // 4]), int(self.file[control // 4])
            if not cleared & UNTOUCHED:
                self.coprocessor.write32(status, cleared)
            if command:
                self.file[control // 4] = 0
                for address in stored:  # ahead of the command, as they were written
                    self.coprocessor.write32(address, int(self.file[address // 4]))
                self.coprocessor.write32(control, command)
            if command or not cleared & UNTOUCHED:
                self._publish()
            self._interrupt()

    def _publish(self):
        """Registers that hardware drives to the file."""
        for register in REGISTERS:
            if register.access == "r":
                self.file[register.address // 4] = self.coprocessor.read32(register.address)
        address = BY_NAME["IRQ_STATUS"].address
        self.file[address // 4] = self.coprocessor.read32(address) | UNTOUCHED

    def _interrupt(self):
        if self.interrupt is None:
            return
        with suppress(BlockingIOError):
            self.armed |= self.interrupt.recv(4) == (1).to_bytes(4, "little")
        status, enable = (self.coprocessor.read32(BY_NAME[name].address) for name in ("IRQ_STATUS", "IRQ_ENABLE"))
        if self.armed and status & enable:
            self.armed, self.n_interrupts = False, self.n_interrupts + 1
            self.interrupt.send(self.n_interrupts.to_bytes(4, "little"))
