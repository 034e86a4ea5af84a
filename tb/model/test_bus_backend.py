"""The driver through registers and memory, on a co-processor of plain Python and on the device files of one."""

import socket
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import ArrayMemory, BusBackend, Emulator, HdpDriver, JobError, LayerSettings, MemoryMapped
from hdp_hw.driver.errors import CURES, HdpError, NoAnswer, UnsupportedCore
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.fake_device import FakeCoprocessor, FakeDevice

TINY = CONFIGS["tiny"]


def operands(n_heads=3, n_kv_heads=2, n_q=11, n_k=18, d=32, seed=1):
    rng = np.random.default_rng(seed)
    q = 3 * rng.standard_normal((n_heads, n_q, d))
    return q, *rng.standard_normal((2, n_kv_heads, n_k, d))


Q, K, V = operands()
LAYER = LayerSettings.fit(Q, K, V, rule="margin", threshold=1.0)


def same(a, b):
    """Outputs and statistics; clock cycles depend on the memory."""
    np.testing.assert_array_equal(a[0], b[0])
    assert replace(a[1], stalls={}, cycles=b[1].cycles) == b[1]


def read(bus, name):
    """Word of a register."""
    return bus.read32(BY_NAME[name].address)


# -- jobs: on the simulated bus, too (tb/system/test_simulated_bus.py) ------------------------------------------------
@pytest.fixture
def bus_class():
    """Makes the bus under test."""
    return FakeCoprocessor


@pytest.mark.parametrize(
    "more",
    [
        {"rule": "row_threshold", "threshold": -0.3, "compensate": True, "min_keep": 0.9},
        {"rule": "margin", "threshold": (0.5, 1.0, 2.0), "tau_head": 9.0, "mean_output": True},
        {"rule": "mass", "threshold": 0.05, "causal": True},
        {"rule": "mass", "threshold": 1.0, "relative": True, "compensate": True},
        {"rule": "dense"},
    ],
)
def test_every_rule(bus_class, more):
    """Output and statistics are the emulator's, from a buffer at the highest addresses."""
    bus = bus_class(TINY, 1 << 20, (1 << TINY.address_width) - (1 << 20))
    driver, layer = HdpDriver(BusBackend(bus)), replace(LAYER, **more)
    assert driver.backend.params == TINY
    same(driver.attend(Q, K, V, layer), HdpDriver(Emulator(TINY)).attend(Q, K, V, layer))
    assert read(bus, "IRQ_STATUS") == 0 and read(bus, "IRQ_ENABLE") == 0x41


def test_jobs_follow_each_other(bus_class):
    bus = bus_class(TINY)
    driver, emulator = HdpDriver(BusBackend(bus)), HdpDriver(Emulator(TINY))
    for seed, shape in enumerate([(1, 1, 1, 1, 4), (4, 2, 30, 40, 32), (2, 2, 128, 128, 16), (3, 1, 5, 64, 8)]):
        tensors = operands(*shape, seed=seed)
        layer = LayerSettings.fit(*tensors, rule="margin", threshold=1.0, timeout_cycles=10**7)
        same(driver.attend(*tensors, layer), emulator.attend(*tensors, layer))
        assert read(bus, "JOB_ID") == seed + 1 and read(bus, "TIMEOUT") == 10**7


def test_timeout_of_the_coprocessor(bus_class):
    with pytest.raises(JobError, match=r"IRQ_STATUS\.timeout in job 1, head \d: A job took longer than TIMEOUT"):
        HdpDriver(BusBackend(bus_class(TINY))).attend(Q, K, V, replace(LAYER, timeout_cycles=100))


@pytest.mark.parametrize(
    ("size", "base", "text"),
    [
        (4096, 0, r"parameter memory\.size = 4096 is not legal; legal: at least \d+, which this layer takes"),
        (1 << 16, 4, r"address = '0x4' is not legal; legal: multiples of 8\b"),
        (1 << 16, (1 << 40) - 256, r"parameter memory\.address = '0xffffffff00'"),
    ],
)
def test_unsuitable_buffer(bus_class, size, base, text):
    with pytest.raises(ParameterError, match=text):
        HdpDriver(BusBackend(bus_class(TINY, size, base))).attend(Q, K, V, LAYER)


# -- other co-processors ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("params", "more"),
    [
        (CONFIGS["edge"], {"rule": "mass", "threshold": 0.05, "causal": True}),
        (CONFIGS["server"], {"rule": "dense"}),
        (HdpParams(lanes=4, digit_width=8, bus_width=128, address_width=64), {"raw": {"mult": (1, 255, 7)}}),
        (HdpParams(tile=8, bus_width=32, address_width=32, n_cores=3), {"rule": "mass", "threshold": 0.1}),
    ],
)
def test_same_as_the_emulator(params, more):
    layer = replace(LAYER, **{"rule": "dense"} | more)
    base = (1 << params.address_width) - (1 << 20)  # the highest addresses
    coprocessor = FakeCoprocessor(params, 1 << 20, base)
    driver = HdpDriver(BusBackend(coprocessor))
    assert driver.backend.params == params
    run, expected = driver.attend(Q, K, V, layer), HdpDriver(Emulator(params)).attend(Q, K, V, layer)
    same(run, expected)
    assert run[1].cycles == expected[1].cycles


def test_counters_of_64_bits(monkeypatch):
    coprocessor = FakeCoprocessor(TINY)
    run = coprocessor.emulator.run

    def long(job):
        result = run(job)
        result.counters["bytes_read"] += 5 << 40
        return result

    monkeypatch.setattr(coprocessor.emulator, "run", long)
    assert HdpDriver(BusBackend(coprocessor)).attend(Q, K, V, LAYER)[1].bytes_read >> 40 == 5


# -- faults -----------------------------------------------------------------------------------------------------------
def test_every_failure_has_a_cure():
    assert set(CURES) == {field.name for field in BY_NAME["IRQ_STATUS"].fields} - {"job_done", "fallback"}


@pytest.mark.parametrize("bit", [bit for bit in CURES if bit != "queue_full"])
def test_failed_job(bit):
    """The error names bit, place, meaning and cure, and the next job runs."""
    coprocessor = FakeCoprocessor(TINY)
    driver = HdpDriver(BusBackend(coprocessor))
    driver.attend(Q, K, V, LAYER)
    coprocessor.faults = [bit, None]
    with pytest.raises(JobError) as error:
        driver.attend(Q, K, V, LAYER)
    assert (error.value.bit, error.value.cure, error.value.job, error.value.head) == (bit, CURES[bit], 2, 1)
    (meaning,) = (field.desc for field in BY_NAME["IRQ_STATUS"].fields if field.name == bit)
    assert str(error.value) == f"IRQ_STATUS.{bit} in job 2, head 1: {meaning} Cure: {CURES[bit]}."
    assert coprocessor._get("IRQ_STATUS") == 0
    same(driver.attend(Q, K, V, LAYER), HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER))


def test_several_bits():
    error = JobError("read_error", "aborted", job=7, head=3)
    assert error.bits == ("read_error", "aborted")
    assert str(error).startswith(
        "IRQ_STATUS.read_error in job 7, head 3 (also set: aborted): The memory answered a read"
    )


def test_full_queue():
    coprocessor = FakeCoprocessor(TINY)
    coprocessor.faults = ["queue_full"]
    with pytest.raises(JobError, match=r"IRQ_STATUS\.queue_full .* Cure: let one driver alone start jobs"):
        HdpDriver(BusBackend(coprocessor)).attend(Q, K, V, LAYER)


@pytest.mark.parametrize(
    ("fault", "done"), [("hang", "it was aborted"), ("dead", "an abort did not stop it, a soft reset did")]
)
def test_no_interrupt(fault, done, monkeypatch):
    """The driver gives up, stops the job, and the next one runs."""
    monkeypatch.setattr("hdp_hw.driver.bus_backend.STOP_SECONDS", 0.02)
    coprocessor = FakeCoprocessor(TINY)
    coprocessor.faults = [fault]
    driver = HdpDriver(BusBackend(coprocessor, seconds=0.05))
    with pytest.raises(
        NoAnswer, match=f"no interrupt within 0.05 s of a job of 3 heads; {done}. Cure: check clock, reset"
    ):
        driver.attend(Q, K, V, LAYER)
    driver.backend.seconds = 60
    same(driver.attend(Q, K, V, LAYER), HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER))


def test_busy():
    coprocessor = FakeCoprocessor(TINY)
    driver = HdpDriver(BusBackend(coprocessor))
    coprocessor._set("STATUS", busy=1)
    with pytest.raises(HdpError, match=r"has another job: wait for its end, or reset\(\) this back end"):
        driver.attend(Q, K, V, LAYER)
    driver.backend.reset()
    driver.attend(Q, K, V, LAYER)


def test_nothing_helps(monkeypatch):
    monkeypatch.setattr("hdp_hw.driver.bus_backend.STOP_SECONDS", 0.02)
    coprocessor = FakeCoprocessor(TINY)
    backend = BusBackend(coprocessor)
    monkeypatch.setattr(coprocessor, "_reset", lambda: coprocessor._set("STATUS", busy=1))
    with pytest.raises(NoAnswer, match=r"still busy 0.02 s after a soft reset: reset it by aresetn"):
        backend.reset()
    coprocessor._set("STATUS", busy=0)
    coprocessor._set("IRQ_STATUS", job_done=1)
    monkeypatch.setattr(coprocessor, "write32", lambda address, value: None)
    with pytest.raises(NoAnswer, match="IRQ_STATUS does not clear: it is still 0x1"):
        HdpDriver(backend).attend(Q, K, V, LAYER)


def test_missing_record():
    coprocessor = FakeCoprocessor(TINY)
    driver = HdpDriver(BusBackend(coprocessor))
    driver.attend(Q, K, V, LAYER)
    coprocessor.faults = ["silent"]
    with pytest.raises(HdpError, match="has not written the record of head 0: ffffffff"):
        driver.attend(Q, K, V, LAYER)


# -- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("register", "word", "text"),
    [
        ("ID", 0, "register ID is 0x00000000, not 0x48445041: no co-processor at this address"),
        ("VERSION", 1 << 16, "register VERSION is 1.0; this driver knows 0, from 0.4 on"),
        ("VERSION", 0, "register VERSION is 0.0; this driver knows 0, from 0.4 on"),
        ("TILE", 3, "describe no core that this driver supports: parameter tile = 3 is not legal; legal: 2, 4, 8"),
        ("MAX_SEQ_LEN", 8192, "parameter max_seq_len = 8192 is not legal"),
        ("BUS_WIDTH", 256, "parameter bus_width = 256 is not legal; legal: 32, 64, 128"),
    ],
)
def test_unsupported_core(register, word, text):
    coprocessor = FakeCoprocessor(TINY)
    coprocessor.words[BY_NAME[register].address] = word
    with pytest.raises(UnsupportedCore) as error:
        BusBackend(coprocessor)
    assert text in str(error.value)


def test_newer_version():
    coprocessor = FakeCoprocessor(TINY)
    coprocessor.words[BY_NAME["VERSION"].address] += 5  # compatible additions
    assert BusBackend(coprocessor).params == TINY


# -- device files -----------------------------------------------------------------------------------------------------
@pytest.fixture
def device(tmp_path):
    with FakeDevice(tmp_path, FakeCoprocessor(TINY)) as running:
        yield running


def mapped(device):
    memory = ArrayMemory.u_dma_buf("udmabuf0", (str(device.sysfs),), device.dev)
    assert (memory.size, memory.address) == (1 << 20, 0x1000_0000)
    return MemoryMapped.physical(0, memory, device.registers)


def test_mapped_and_polled(device):
    driver = HdpDriver(BusBackend(mapped(device)))
    for _ in range(5):
        same(driver.attend(Q, K, V, LAYER), HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER))


def test_mapped_faults(device, monkeypatch):
    monkeypatch.setattr("hdp_hw.driver.bus_backend.STOP_SECONDS", 0.5)
    driver = HdpDriver(BusBackend(mapped(device), seconds=5))
    device.coprocessor.faults = ["write_error", None, "hang", None, "dead"]
    with pytest.raises(JobError, match=r"IRQ_STATUS\.write_error in job 1, head 1"):
        driver.attend(Q, K, V, LAYER)
    expected = HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER)
    for done in ("it was aborted", "a soft reset did"):
        driver.backend.seconds = 60
        same(driver.attend(Q, K, V, LAYER), expected)
        driver.backend.seconds = 0.1
        with pytest.raises(NoAnswer, match=done):
            driver.attend(Q, K, V, LAYER)
    driver.backend.seconds = 60
    same(driver.attend(Q, K, V, LAYER), expected)


def test_mapped_with_interrupt(tmp_path):
    """A UIO device: a file to map, and reads and writes of four bytes."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs, FakeDevice(tmp_path, FakeCoprocessor(TINY), theirs) as device:
        polled = mapped(device)
        bus = MemoryMapped(polled.registers, polled.memory, ours.fileno())
        driver = HdpDriver(BusBackend(bus))
        for n_interrupts in range(1, 4):
            same(driver.attend(Q, K, V, LAYER), HdpDriver(Emulator(TINY)).attend(Q, K, V, LAYER))
            assert device.n_interrupts >= n_interrupts
        assert not bus.wait(0.01)


def test_uio_opens_the_device_for_both(tmp_path):
    path = tmp_path / "uio0"
    path.write_bytes(bytes(4096))
    bus = MemoryMapped.uio(path, None)
    bus.write32(BY_NAME["IRQ_ENABLE"].address, 0xFFFF_FFFF)
    assert path.read_bytes()[0x10:0x14] == b"\xff" * 4 and bus.read32(0x10) == 0xFFFF_FFFF
    assert bus.wait(1.0)  # a file is always ready
    assert path.read_bytes()[:4] == (1).to_bytes(4, "little")


def test_no_buffer_device(tmp_path):
    with pytest.raises(HdpError, match=f"no udmabuf3 in {tmp_path}: load u-dma-buf with udmabuf3=<bytes>"):
        ArrayMemory.u_dma_buf("udmabuf3", (str(tmp_path),))


class PynqBuffer(np.ndarray):
    """What ``pynq.allocate`` returns, as far as the driver knows it; caches hide what was not flushed."""

    def __array_finalize__(self, obj):
        self.calls = getattr(obj, "calls", [])

    device_address = 0x3000_0000

    def flush(self):
        self.calls.append("flush")

    def invalidate(self):
        self.calls.append("invalidate")


def test_pynq_buffer():
    buffer = np.zeros(1 << 18, np.uint32).view(PynqBuffer)
    memory = ArrayMemory.pynq(buffer)
    assert (memory.size, memory.address) == (1 << 20, 0x3000_0000)
    memory.write(4, np.array([1, 2], np.uint8))
    assert buffer[1] == 0x201 and buffer.calls == ["flush"]
    buffer[1] = 7
    np.testing.assert_array_equal(memory.read(4, 2), [7, 0])
    assert buffer.calls == ["flush", "invalidate"]
