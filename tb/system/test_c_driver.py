"""The bare-metal driver in C: strict compiler, layout and words of the Python driver, jobs on the simulated hdp_top."""

import ctypes
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver import Emulator, JobError
from hdp_hw.driver.driver import prepare
from hdp_hw.driver.errors import CURES
from hdp_hw.driver.layer import LayerSettings
from hdp_hw.driver.memory_layout import JobLayout, pack_job
from hdp_hw.simulation import MemoryTiming, SimulatedBus
from hdp_hw.simulation.simulated_bus import SILENT
from hdp_hw.spec.configs import CONFIGS, NAMES
from hdp_hw.spec.formats import ADDRESSES
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.spec.settings import field_limits
from tb.lib import c_driver
from tb.lib.c_driver import FLAGS, READ, SOURCES, WRITE, CDriver, Device, device_of, job_of
from tb.lib.fake_device import FakeCoprocessor
from tb.lib.simulation import MODELS
from tb.model.test_bus_backend import LAYER, TINY, K, Q, V, read
from tb.model.test_driver import captured_layer
from tb.model.test_driver_guide import GUIDE, blocks


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    (example,) = blocks(GUIDE, "c")
    return c_driver.build(tmp_path_factory.mktemp("c_driver"), example)


@pytest.fixture
def bus():
    return SimulatedBus(TINY, cache=MODELS)


@pytest.fixture
def driver(library, bus):
    return CDriver(library, bus)


def layer_job(layer=LAYER, tensors=(Q, K, V), params=TINY):
    return prepare(*tensors, layer, params)[0]


# -- words and bytes --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("more", [[], ["-Wconversion", "-O2"], ["-DHDP_EXTERNAL_ACCESS"]])
def test_compiles_without_a_warning(tmp_path, more):
    subprocess.run(["cc", *FLAGS, *more, "-c", SOURCES / "hdp.c", "-o", tmp_path / "hdp.o"], check=True)


def test_needs_nothing_of_the_c_library(tmp_path):
    """But memset, and memcpy, which compilers call by themselves."""
    test_compiles_without_a_warning(tmp_path, ["-O1"])
    symbols = subprocess.run(["nm", "-u", tmp_path / "hdp.o"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[-1] for line in symbols.splitlines()} - {"_GLOBAL_OFFSET_TABLE_"} <= {"memset", "memcpy"}


@pytest.mark.parametrize("bit", CURES)
def test_words_are_the_python_drivers(library, bit):
    word = BY_NAME["IRQ_STATUS"].pack(**{bit: 1, "job_done": 1, "fallback": 1})
    assert library.hdp_failure(word).decode() == str(JobError(bit))


def test_no_failure(library):
    assert library.hdp_failure(BY_NAME["IRQ_STATUS"].pack(job_done=1, fallback=1)) is None


@pytest.mark.parametrize(
    "params",
    [
        TINY,
        CONFIGS["edge"],
        CONFIGS["server"],
        HdpParams(lanes=4, digit_width=8, bus_width=128),
        HdpParams(lanes=4, bus_width=32),
        HdpParams(lanes=64, bus_width=128, max_head_dim=64),
    ],
)
def test_layout_and_bytes(library, params):
    """The buffer is filled as hdp_hw.driver.memory_layout fills it: every operand, several head dimensions, a table."""
    idle = READ(lambda base, offset: 0), WRITE(lambda base, offset, value: None)
    c_driver.connect(library, *idle)
    low, high = -(1 << (params.operand_width - 1)), (1 << (params.operand_width - 1)) - 1
    for d in {params.slice_width, 3 * params.slice_width, params.max_head_dim}:
        q, k, v = (np.resize(np.arange(low, high + 1), (n, 9, d)) for n in (3, 2, 2))
        job = layer_job(replace(LAYER, threshold=(0.5, 1.0, 2.0)), (q, k, v), params)
        layout, device, of_job = JobLayout.of(job, params), device_of(params), job_of(job)
        found = library.hdp_layout_of(ctypes.byref(device), ctypes.byref(of_job))
        assert found.size == layout.size
        for name, region in zip(ADDRESSES, found.regions, strict=True):
            assert tuple(getattr(region, field) for field, _ in region._fields_) == tuple(
                vars(layout.regions[name]).values()
            ), name
        memory = np.full(layout.size, 0xA5, np.uint8)
        buffer = c_driver.Buffer(memory.ctypes.data, 0, len(memory))
        operands = c_driver.operands_of(job, params)
        assert not library.hdp_pack(ctypes.byref(device), ctypes.byref(of_job), ctypes.byref(buffer), *operands)
        for name, content in pack_job(job, params).items():
            region = layout.regions[name]
            np.testing.assert_array_equal(memory[region.offset : region.offset + region.n_bytes], content, name)


# -- jobs on the simulated co-processor -------------------------------------------------------------------------------
def compare(driver, bus, job, params=TINY):
    """A job gives the golden output, records and counters."""
    output, records = driver.run(job, params)
    expected = Emulator(params).run(job)
    np.testing.assert_array_equal(output, expected.output)
    for head, (record, golden) in enumerate(zip(records, expected.heads, strict=True)):
        assert (record.head, record.error) == (head, 0)
        assert (record.verdict, record.n_visited, record.n_kept, record.theta_head) == tuple(golden)
    for name in ("bytes_read", "bytes_unmasked", "bytes_written", "tiles_kept", "heads_pruned"):
        offset = BY_NAME[f"{name.upper()}_LOW"].address
        assert driver.library.hdp_counter(ctypes.byref(driver.device), offset) == expected.counters[name], name
    assert read(bus, "IRQ_STATUS") == 0


@pytest.mark.parametrize(
    "more",
    [
        {"rule": "row_threshold", "threshold": -0.3, "compensate": True, "min_keep": 0.9},
        {"rule": "margin", "threshold": (0.5, 1.0, 2.0), "tau_head": 9.0, "mean_output": True},
        {"rule": "mass", "threshold": 0.05, "causal": True, "timeout_cycles": 0},
        {"rule": "dense"},
    ],
)
def test_every_rule(driver, bus, more):
    compare(driver, bus, layer_job(replace(LAYER, **more)))


def test_real_layer(driver, bus):
    """A layer of MiniLM, and one of other lengths after it."""
    *tensors, scales = captured_layer("lighthouse.")
    layer = LayerSettings(**scales, rule="mass", threshold=0.05, tau_head=12.0, compensate=True)
    compare(driver, bus, layer_job(layer, tensors))
    compare(driver, bus, layer_job())
    assert driver.device.job_id == read(bus, "JOB_ID") == 2


@pytest.mark.slow
def test_two_cores(library):
    params = replace(TINY, n_cores=2)
    bus = SimulatedBus(params, cache=MODELS, timing=MemoryTiming(20, 20))
    driver = CDriver(library, bus)
    assert driver.device.params.n_cores == 2
    compare(driver, bus, layer_job(params=params), params)


def test_example_of_the_guide(library, bus):
    """The guide's function, called as it stands there."""
    shape = 12, 128, 32
    rng = np.random.default_rng(1)
    q, k, v = (np.clip(rng.normal(0, 40, shape), -128, 127).astype(np.int8) for _ in range(3))
    output = np.zeros(shape, np.int8)
    CDriver(library, bus)  # connects the registers
    library.attend.restype = ctypes.c_char_p
    memory, *pointers = map(c_driver.pointer, (bus.memory.array, q, k, v, output))
    assert library.attend(bus.handle, memory, ctypes.c_uint64(bus.memory.address), *pointers) is None
    layer = LayerSettings(1, 1, 1, rule="mass", threshold=1.0, raw={"mult": 93, "shift": 8, "kappa": 93,
                          "kappa_shift": 5, "log_mass": 80}, compensate=True)  # fmt: skip
    expected = Emulator("tiny").run(prepare(q, k, v, layer, TINY)[0])
    np.testing.assert_array_equal(output, expected.output)
    assert 0 < sum(head.n_kept for head in expected.heads) < 12 * 64 * 64


def test_interrupt(driver, bus):
    driver.library.hdp_enable_interrupt(ctypes.byref(driver.device), True)
    job, places = job_of(layer_job()), ctypes.byref(driver.buffer)
    operands = c_driver.operands_of(layer_job(), TINY)
    assert driver.call("pack", ctypes.byref(job), places, *operands) == "OK"
    assert driver.call("start", ctypes.byref(job), places) == "OK"
    assert driver.call("wait", 1) == "NO_ANSWER" and not bus.irq
    while not bus.wait(0):
        pass
    assert driver.call("wait", 1) == "OK"
    bus.run(3)
    assert not bus.irq


# -- errors -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("register", "word", "error"),
    [
        ("ID", 0, "NO_CORE"),
        ("VERSION", 1 << 16, "OTHER_VERSION"),
        ("VERSION", 0, "OTHER_VERSION"),
        ("VERSION", 7, "OK"),
        ("TILE", 3, "UNSUPPORTED"),
        ("LANES", 48, "UNSUPPORTED"),
        ("DIGIT_WIDTH", 16, "UNSUPPORTED"),
        ("MAX_HEAD_DIM", 18, "UNSUPPORTED"),
        ("MAX_SEQ_LEN", 8192, "UNSUPPORTED"),
        ("N_CORES", 9, "UNSUPPORTED"),
        ("BUS_WIDTH", 256, "UNSUPPORTED"),
        ("ADDRESS_WIDTH", 65, "UNSUPPORTED"),
    ],
)
def test_unsupported_core(library, register, word, error):
    fake, device = FakeCoprocessor(TINY), Device()
    fake.words[BY_NAME[register].address] = word
    hooks = (
        READ(lambda base, offset: fake.read32(offset)),
        WRITE(lambda base, offset, value: fake.write32(offset, value)),
    )
    c_driver.connect(library, *hooks)
    assert c_driver.ERRORS[library.hdp_open(ctypes.byref(device), ctypes.c_size_t(0))] == error


@pytest.mark.parametrize("params", [TINY, HdpParams(tile=8, lanes=64, digit_width=8, max_head_dim=128)])
def test_supported_cores(library, params):
    """hdp.c has the limits of HdpParams as literals: with every value of every parameter, it supports what is legal."""
    fake, device = FakeCoprocessor(params), Device()
    hooks = READ(lambda base, offset: fake.words[offset]), WRITE(lambda base, offset, value: None)
    c_driver.connect(library, *hooks)
    for name in NAMES:
        outcomes = set()
        for value in (*range(1100), 2048, 1 << 16, 1 << 31):
            fake.words[BY_NAME[name.upper()].address] = value
            outcomes.add(outcome := c_driver.ERRORS[library.hdp_open(ctypes.byref(device), ctypes.c_size_t(0))])
            assert outcome == ("OK" if legal(params, name, value) else "UNSUPPORTED"), f"{name} = {value}"
        assert outcomes == {"OK", "UNSUPPORTED"}, name
        fake.words[BY_NAME[name.upper()].address] = getattr(params, name)


def legal(params, name, value):
    try:
        replace(params, **{name: value})
    except ParameterError:
        return False
    return True


@pytest.mark.parametrize("params", [TINY, replace(TINY, digit_width=8, multiplier=0)])
def test_illegal_jobs(library, params):
    """Every field at both ends of its range is legal, and illegal beyond, where the type holds that."""
    device, n_illegal = device_of(params), 0
    limits = field_limits(params) | {"head_dim": (params.slice_width, params.max_head_dim)}
    for name, (low, high) in limits.items():
        for value in (low - 1, low, high, high + 1):
            of_job = job_of(layer_job(params=params))
            target = of_job if hasattr(of_job, name) else of_job.thresholds[0]
            setattr(target, name, value)
            if getattr(target, name) != value:
                continue  # the type is too narrow
            found = library.hdp_illegal(ctypes.byref(device), ctypes.byref(of_job))
            within = low <= value <= high
            assert found == (None if within else name.encode()), f"{name} = {value}"
            n_illegal += not within
    assert n_illegal >= 10


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"n_heads": 0}, "n_heads"),
        ({"n_kv_heads": 0}, "n_kv_heads"),
        ({"n_kv_heads": 4}, "n_kv_heads"),
        ({"head_dim": 30}, "head_dim"),
        ({"causal": True, "compensate": True}, "causal"),
        ({"causal": True, "mean_output": True}, "causal"),
    ],
)
def test_illegal_combinations(driver, more, name):
    job = job_of(layer_job())
    for field, value in more.items():
        setattr(job, field, value)
    places = ctypes.byref(driver.buffer)
    assert driver.library.hdp_illegal(ctypes.byref(driver.device), ctypes.byref(job)).decode() == name
    assert driver.call("pack", ctypes.byref(job), places, *c_driver.operands_of(layer_job(), TINY)) == "ILLEGAL_JOB"
    assert driver.call("start", ctypes.byref(job), places) == "ILLEGAL_JOB"


def test_illegal_entry_of_the_table(library):
    job = job_of(layer_job(replace(LAYER, threshold=(0.5, 1.0, 2.0))))
    job.thresholds[2].min_keep = 257
    assert library.hdp_illegal(ctypes.byref(device_of(TINY)), ctypes.byref(job)) == b"min_keep"


@pytest.mark.parametrize(
    ("size", "address", "error"),
    [
        (-1, 0, "BUFFER_TOO_SMALL"),
        (0, 4, "BUFFER_MISPLACED"),
        (0, (1 << 40) - 256, "BUFFER_MISPLACED"),
        (0, 1 << 40, "BUFFER_MISPLACED"),
    ],
)
def test_unsuitable_buffer(driver, size, address, error):
    job = layer_job()
    driver.buffer.size, driver.buffer.address = JobLayout.of(job, TINY).size + size, address
    assert driver.run(job, TINY) == error


def test_buffer_that_just_fits(driver):
    job = layer_job()
    size = JobLayout.of(job, TINY).size
    driver.buffer.size, driver.buffer.address = size, (1 << 40) - size
    c_job, places = job_of(job), ctypes.byref(driver.buffer)
    assert driver.call("pack", ctypes.byref(c_job), places, *c_driver.operands_of(job, TINY)) == "OK"


@pytest.mark.parametrize(("region", "bit"), [("k_integer", "read_error"), ("output", "write_error")])
def test_bus_errors(driver, bus, region, bit):
    """A sticky bit by name, its cure, and the next job is right."""
    job = layer_job()
    place = JobLayout.of(job, TINY).regions[region]
    bus.fail(bus.memory.address + place.offset, place.n_bytes, read=2, write=3)
    assert driver.run(job, TINY) == "FAILED"
    assert driver.text("FAILED") == str(JobError(bit))
    bus.fail(0, 0)
    compare(driver, bus, job)


def test_illegal_register(driver, bus):
    """Something else writes the job's registers."""
    job = layer_job()
    compare(driver, bus, job)
    bus.write32(BY_NAME["N_K"].address, TINY.max_seq_len + 1)
    bus.write32(BY_NAME["CONTROL"].address, BY_NAME["CONTROL"].pack(start=1))
    assert driver.call("wait", 1000) == "FAILED"
    assert driver.text("FAILED") == str(JobError("bad_settings"))
    compare(driver, bus, job)


def test_timeouts(driver, bus):
    """Of the co-processor, and of the driver, which then aborts or resets."""
    job = layer_job()
    bus.timing = SILENT
    assert driver.run(replace(job, timeout_cycles=2000), TINY) == "FAILED"
    assert driver.text("FAILED") == str(JobError("timeout"))
    for stop in ("abort", "reset"):
        assert driver.run(job, TINY, polls=500) == "NO_ANSWER"
        assert driver.run(job, TINY) == "BUSY"
        assert driver.call(stop, 1) == "NO_ANSWER"
        assert driver.call(stop, 10_000) == "OK"
    bus.timing = MemoryTiming(w=1.0)
    assert driver.run(replace(job, timeout_cycles=5000), TINY) == "FAILED"
    assert driver.run(job, TINY) == "WRITING"
    bus.timing = MemoryTiming()
    bus.run(1000)
    compare(driver, bus, job)
