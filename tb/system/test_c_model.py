"""Compiled models in C: on the emulated co-processor, and on the simulated hdp_top."""

import ctypes
import subprocess

import numpy as np
import pytest

from hdp_hw.driver import JobError
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.simulation import SimulatedBus
from hdp_hw.spec.formats import DESCRIPTOR_BYTES
from hdp_hw.spec.register_map import BY_NAME
from hdp_hw.study.encoder.folder import c_header
from tb.lib import c_driver
from tb.lib.c_driver import FLAGS, READ, SOURCES, WRITE, Device, Model, pointer
from tb.lib.compiled_models import MASS, NARROW, PARAMS, WIDE, example_of
from tb.lib.docs import DOCS
from tb.lib.simulation import MODELS
from tb.model.test_compile import changed
from tb.model.test_driver_guide import blocks

POLLS = 10**8


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return c_driver.build(tmp_path_factory.mktemp("c_model"))


@pytest.fixture(scope="module")
def example():
    return example_of("bert", prune=MASS)


class CModel:
    """An image through the C driver, on an EmulatedBus or a SimulatedBus."""

    def __init__(self, library, bus, image=None):
        self.library, self.bus, self.device, self.model = library, bus, Device(), Model()
        self.buffer = c_driver.buffer_of(bus.memory)
        if isinstance(bus, EmulatedBus):
            self.hooks = READ(lambda _, offset: bus.read32(offset)), WRITE(lambda _, at, value: bus.write32(at, value))
            handle = 0
        else:
            self.hooks, handle = (bus.library.harness_read32, bus.library.harness_write32), bus.handle.value
        c_driver.connect(library, *self.hooks)
        assert self.call(library.hdp_open, ctypes.byref(self.device), ctypes.c_size_t(handle)) == "OK"
        if image is not None:
            self.features = image.header["features"]
            self.results = image.header["results"]
            assert self.load(image.data) == "OK"

    @staticmethod
    def call(function, *arguments):
        return c_driver.ERRORS[function(*arguments)]

    def load(self, data):
        """Name of the error."""
        places = [ctypes.byref(each) for each in (self.model, self.device, self.buffer)]
        self.data = np.ascontiguousarray(data)
        return self.call(self.library.hdp_model_load, *places, pointer(self.data), ctypes.c_size_t(len(data)))

    def run(self, words, polls=POLLS):
        """``(name of the error, words of hidden states)``."""
        hidden = np.zeros((self.results or len(words), self.features), np.int16)
        embeddings = np.ascontiguousarray(words, np.int16)
        arguments = pointer(embeddings), c_driver.u32(len(words)), pointer(hidden), c_driver.u32(polls)
        return self.call(self.library.hdp_model_run, ctypes.byref(self.model), *arguments), hidden


def compare(model, example, words):
    error, hidden = model.run(words)
    assert error == "OK"
    np.testing.assert_array_equal(hidden, example.golden(words))


# -- the code ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("more", [[], ["-Wconversion", "-O2"], ["-DHDP_EXTERNAL_ACCESS"]])
def test_compiles_without_a_warning(tmp_path, more):
    command = ["cc", *FLAGS, *more, "-c", SOURCES / "hdp_model.c", "-o", tmp_path / "hdp_model.o"]
    subprocess.run(command, check=True)


def test_needs_nothing_of_the_c_library(tmp_path):
    """But memset and memcpy."""
    test_compiles_without_a_warning(tmp_path, ["-O1"])
    symbols = subprocess.run(["nm", "-u", tmp_path / "hdp_model.o"], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in symbols.splitlines()} - {"_GLOBAL_OFFSET_TABLE_"}
    assert {name for name in names if not name.startswith("hdp_")} <= {"memset", "memcpy"}


def test_job_registers_are_those_that_it_writes():
    """From JOB_ID to CHAIN, but for the gap between MIN_KEEP and Q_INTEGER."""
    written = {register.address for register in BY_NAME.values() if register.group in ("job", "encoder")}
    first, gap, behind, last = (BY_NAME[name].address for name in ("JOB_ID", "MIN_KEEP", "Q_INTEGER_LOW", "CHAIN_HIGH"))
    assert written == {*range(first, gap + 4, 4), *range(behind, last + 4, 4)}


# -- inferences -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "n_labels", "prune"), [("bert", 0, MASS), ("vit", 3, None), ("roberta", 3, MASS)])
def test_bits(library, kind, n_labels, prune):
    example = example_of(kind, n_labels, prune=prune)
    bus = example.bus(address=(1 << 40) - (1 << 20))
    model = CModel(library, bus, example.image)
    assert library.hdp_model_memory(pointer(example.image.data)) == example.image.header["memory_bytes"]
    for words in (example.inputs[0], max(example.inputs, key=len), example.inputs[1][:7]):
        compare(model, example, words)
    assert not bus.read32(BY_NAME["IRQ_STATUS"].address)


def test_memory_is_what_python_makes_of_it(library, example):
    """Byte for byte, before an inference and after it, a short one behind a long one."""
    buses = [example.bus() for _ in range(2)]
    in_c, in_python = CModel(library, buses[0], example.image), example.on(buses[1])
    np.testing.assert_array_equal(buses[0].memory.array, buses[1].memory.array)
    for words in (max(example.inputs, key=len), example.inputs[0][:5]):
        compare(in_c, example, words)
        in_python(words)
        np.testing.assert_array_equal(buses[0].memory.array, buses[1].memory.array)


def test_an_image_that_lies_in_the_buffer(library, example):
    bus = example.bus()
    bus.memory.write(0, example.image.data)
    model = CModel(library, bus)
    places = [ctypes.byref(each) for each in (model.model, model.device, model.buffer)]
    arguments = ctypes.c_void_p(bus.memory.array.ctypes.data), ctypes.c_size_t(len(example.image.data))
    assert model.call(library.hdp_model_load, *places, *arguments) == "OK"
    model.features, model.results = 32, 0
    compare(model, example, example.inputs[0])


def test_example_of_the_page(tmp_path, example):
    """The function of docs/encoder.md, called as it stands there."""
    (block,) = blocks(DOCS / "encoder.md", "c")
    (tmp_path / "model.h").write_text(c_header(example.image, "x", {"embedding": 1.0, "hidden": 1.0}))
    library = c_driver.build(tmp_path, block)
    bus = example.bus()
    model, words = CModel(library, bus), np.ascontiguousarray(example.inputs[0], np.int16)
    hidden = np.zeros_like(words)
    library.infer.restype = ctypes.c_char_p
    places = ctypes.byref(model.device), ctypes.byref(model.buffer), pointer(example.image.data), pointer(words)
    assert library.infer(*places, c_driver.u32(len(words)), pointer(hidden)) is None
    np.testing.assert_array_equal(hidden, example.golden(words.astype(int)))


def test_simulated_hardware(library, example):
    bus = SimulatedBus(PARAMS, cache=MODELS, size=example.image.header["memory_bytes"])
    model = CModel(library, bus, example.image)
    for words in example.inputs[:2]:
        compare(model, example, words)


@pytest.mark.slow
def test_norms_beside_jobs_on_simulated_hardware(library):
    example = example_of("bert", params=NARROW, **WIDE)
    bus = SimulatedBus(NARROW, cache=MODELS, size=example.image.header["memory_bytes"])
    compare(CModel(library, bus, example.image), example, example.inputs[0])


# -- errors -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (lambda image: image.data[:100], "NO_IMAGE"),
        (lambda image: np.zeros_like(image.data), "NO_IMAGE"),
        (lambda image: changed(image, format=1), "OTHER_FORMAT"),
        (lambda image: image.data[:-1], "CUT_IMAGE"),
        (lambda image: np.append(image.data, np.uint8(0)), "CUT_IMAGE"),
        (lambda image: np.where(np.arange(len(image.data)) == 5000, image.data ^ 4, image.data), "DAMAGED_IMAGE"),
        *[(lambda image, name=name: changed(image, **{name: 9}), "OTHER_CORE") for name in ("tile", "address_width")],
        (lambda image: changed(image, n_cores=2), "OTHER_CORE"),
    ],
)
def test_images_that_are_refused(library, example, data, error):
    """Before anything is written."""
    bus = example.bus()
    model = CModel(library, bus)
    assert model.load(data(example.image)) == error
    assert not bus.memory.array.any()
    text = library.hdp_error_text(ctypes.byref(model.device), c_driver.ERRORS.index(error)).decode()
    assert "image" in text and "Cure: " in text


@pytest.mark.parametrize(
    ("more", "error"),
    [({"size": -1}, "BUFFER_TOO_SMALL"), ({"address": 4}, "BUFFER_MISPLACED"),
     ({"address": (1 << 40) - 256}, "BUFFER_MISPLACED")],
)  # fmt: skip
def test_unsuitable_buffers(library, example, more, error):
    bus = example.bus()
    model = CModel(library, bus)
    model.buffer.size += more.get("size", 0)
    model.buffer.address = more.get("address", 0)
    assert model.load(example.image.data) == error


@pytest.mark.parametrize("tokens", [0, 17])
def test_illegal_numbers_of_tokens(library, example, tokens):
    model = CModel(library, example.bus(), example.image)
    assert model.run(np.zeros((tokens, 32)))[0] == "ILLEGAL_TOKENS"


def test_a_start_without_an_input(library, example):
    model = CModel(library, example.bus(), example.image)
    assert model.call(library.hdp_model_start, ctypes.byref(model.model)) == "ILLEGAL_TOKENS"


@pytest.mark.parametrize(("field", "error"), [("busy", "BUSY"), ("writing", "WRITING")])
def test_while_the_buffer_is_in_use(library, example, field, error):
    bus = example.bus()
    model = CModel(library, bus, example.image)
    bus._set("STATUS", **{field: 1})
    assert model.load(example.image.data) == model.run(example.inputs[0])[0] == error


def test_a_failure_is_told(library, example):
    """And the next inference, with a sound image, is right."""
    bus = example.bus()
    model = CModel(library, bus, example.image)
    second = example.image.chain_of(8)["first"] + DESCRIPTOR_BYTES
    place = second + BY_NAME["MODE"].address - BY_NAME["JOB_ID"].address
    bus.memory.write(place, np.full(4, 255, np.uint8))
    assert model.run(example.inputs[0][:8])[0] == "FAILED"
    text = library.hdp_error_text(ctypes.byref(model.device), c_driver.ERRORS.index("FAILED")).decode()
    assert text == str(JobError("bad_settings"))
    assert model.load(example.image.data) == "OK"
    compare(model, example, example.inputs[0])


def test_errors_have_words(library, example):
    model = CModel(library, example.bus())
    texts = [library.hdp_error_text(ctypes.byref(model.device), number) for number in range(len(c_driver.ERRORS))]
    assert len(set(texts)) == len(c_driver.ERRORS)
    assert library.hdp_error_text(ctypes.byref(model.device), len(texts)) == b"no such error"
