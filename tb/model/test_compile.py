"""Compiled models: bits of the golden model, where jobs read and write, and what is refused."""

from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from hdp_hw.driver import BusBackend, JobError
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.encoder.chain import Chain, Heads, Sizes
from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.content import StoredLinear
from hdp_hw.encoder.image import CRC_END, Image, ImageError
from hdp_hw.encoder.tiling import max_inputs
from hdp_hw.spec.configs import CONFIGS, NAMES
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.formats import DESCRIPTOR_BYTES, offsets
from hdp_hw.spec.image import HEADER_BYTES, HEADER_FIELDS
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.compiled_models import MASS, NARROW, PARAMS, WIDE, checked, example_of
from tb.lib.tiny_encoders import KINDS

ROOT = Path(__file__).resolve().parents[2]
JOB_BASE = BY_NAME["JOB_ID"].address


@pytest.fixture(scope="module")
def bert():
    return example_of("bert")


# -- bits -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("prune", [None, MASS], ids=["dense", "pruned"])
@pytest.mark.parametrize("n_labels", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_bits(kind, n_labels, prune):
    """Of inputs of several lengths, which two chains take, all shorter than the longer one."""
    example = example_of(kind, n_labels, prune=prune)
    compiled = example.on(example.bus())
    lengths = {len(words): words for words in example.inputs}
    for words in list(lengths.values())[:4]:
        assert checked(example, compiled, words).shape == (1 if n_labels else len(words), 32)


@pytest.mark.parametrize(
    "params",
    [
        replace(PARAMS, bus_width=32),
        replace(PARAMS, bus_width=128, n_cores=2),
        replace(CONFIGS["edge"], encoder=1),
        replace(CONFIGS["large"], encoder=1, bus_width=32),
        NARROW,
    ],
    ids=["bus32", "cores", "edge", "large", "narrow"],
)
def test_cores(params):
    """Heads of 16 elements are narrower than a word of digits, or than a bus word; rows are more than a job takes."""
    for kind, n_labels in (("bert", 0), ("vit", 3)):
        example = example_of(kind, n_labels, params, MASS, **WIDE)
        checked(example, example.on(example.bus()), example.inputs[0])


def test_heads_that_differ():
    """Their scales and thresholds are in a table, one for all lengths or one for each."""
    for relative in (False, True):
        prune = MASS | {"threshold": (0.1, 0.9), "relative": relative}
        example = example_of("bert", prune=prune)
        strides = {job["table_stride"] for job in example.image.attention(example.image.chains[0])}
        assert strides == ({64} if relative else {0})
        compiled = example.on(example.bus())
        for words in example.inputs[:3]:
            checked(example, compiled, words)


def test_a_short_input_after_a_long_one(bert):
    """What the long one left in memory changes neither bits nor clock cycles."""
    bus = bert.bus()
    compiled = bert.on(bus)
    long, short = max(bert.inputs, key=len), bert.inputs[0][:9]
    first = checked(bert, compiled, short), compiled.counters
    checked(bert, compiled, long)
    again = checked(bert, compiled, short), compiled.counters
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_every_length(bert):
    compiled, words = bert.on(bert.bus()), np.concatenate(bert.inputs)
    for n in range(1, 17):
        checked(bert, compiled, words[:n])
        assert len(compiled.backend.bus.runs) == bert.image.chain_of(n)["jobs"]


def test_the_largest_words(bert):
    """Words at both ends of their range, as of embeddings that calibration did not see."""
    rng = np.random.default_rng(1)
    checked(bert, bert.on(bert.bus()), rng.choice([-(2**15), 2**15 - 1], (12, 32)))


# -- jobs and memory --------------------------------------------------------------------------------------------------
def jobs_of(image, chain):
    """``{register: word}`` of a chain's jobs, in their order in memory."""
    words = image.data[chain["first"] :][: DESCRIPTOR_BYTES * chain["jobs"]].view("<u4").reshape(chain["jobs"], -1)
    names = {name: (each.address - JOB_BASE) // 4 for name, each in BY_NAME.items() if each.group in ("job", "encoder")}
    return [{name: int(job[place]) for name, place in names.items()} for job in words]


def test_norms_run_beside_other_jobs():
    """A norm is a job of its own only where the next job needs its rows: here, behind the last rows of a layer."""
    example = example_of("bert", params=NARROW, **WIDE)
    bus = example.bus()
    checked(example, example.on(bus), np.concatenate(example.inputs)[:16])
    jobs = jobs_of(example.image, example.image.chain_of(16))
    beside = [job for job in jobs if job["NORM_LOW"] and job["N_HEADS"]]
    lone = [job for job in jobs if not job["N_HEADS"]]
    assert all(job["NORM_LOW"] for job in lone)
    assert [kind for kind, _ in bus.runs].count("norm") == len(lone) < len(beside)
    assert [job["JOB_ID"] for job in jobs] == list(range(1, len(jobs) + 1))


def test_numbers_of_the_page():
    """docs/encoder.md: the widest layers with planes as results, and the fewest rows of a job."""
    text = " ".join((ROOT / "docs" / "encoder.md").read_text().split())
    edge = replace(CONFIGS["edge"], encoder=1)
    assert f"at most {max_inputs(PARAMS, 4)} inputs on `tiny`, {max_inputs(edge, 4)} on `edge`" in text
    layer, sizes = StoredLinear(128, 128, 16, Activation.NONE, 0, 0, 0, 0), Sizes(128, 128, 512, Heads(2, 64, edge))
    rows = {n: Chain(n, {}, sizes).cut(layer, n)[0].n_rows for n in range(1, 129)}
    assert all(rows[n] == n for n in range(1, 33)) and [rows[n] for n in (33, 64, 65, 128)] == [32, 32, 36, 64]
    assert "on `edge` it has 32 rows at least" in text


def test_a_classifier_computes_one_row_last():
    example = example_of("bert", 3)
    jobs = jobs_of(example.image, example.image.chain_of(16))
    assert [job["N_Q"] for job in jobs if job["N_HEADS"]][-6:] == [8, 8, 1, 1, 1, 1]  # V, attention to outer
    jobs = jobs_of(*[(each := example_of("bert", 3, prune=MASS).image), each.chain_of(16)])
    assert [job["N_Q"] for job in jobs if job["N_HEADS"]][-6:] == [8, 8, 16, 1, 1, 1]


@pytest.mark.parametrize("address", [0, 0x1000_0000, (1 << 40) - (1 << 20)])
def test_any_place_in_memory(bert, address):
    """Every address moves with the buffer; the image just fits."""
    checked(bert, bert.on(bert.bus(address=address)), bert.inputs[0])


def test_jobs_stay_inside_the_buffer(bert):
    """One byte less of the rows that jobs work on, and a job reads or writes beyond."""
    bus = bert.bus()
    compiled = bert.on(bus)
    bus.memory.size -= 256
    with pytest.raises(JobError, match=r"read_error|write_error"):
        compiled(np.concatenate(bert.inputs)[:16])


def test_nothing_but_jobs_and_rows_change(bert):
    """Weights, scales and lists are as they were after an inference."""
    bus = bert.bus(address=0)
    compiled = bert.on(bus)
    compiled(bert.inputs[0])
    first = min(chain["first"] for chain in bert.image.chains)
    np.testing.assert_array_equal(bus.memory.array[:first], bert.image.data[:first])


def test_clock_cycles_do_not_depend_on_what_ran_before():
    """The emulator remembers those of dense jobs: one that has not seen them says the same."""
    example = example_of("vit")
    buses = [example.bus(read_latency=20, write_latency=20) for _ in range(2)]
    models = [example.on(bus) for bus in buses]
    for words in example.inputs[:2]:
        models[0](words)
    models[1](example.inputs[1])
    assert buses[0].runs == buses[1].runs and models[0].counters == models[1].counters


def test_a_failure_names_the_job(bert):
    bus = bert.bus()
    compiled = bert.on(bus)
    chain = bert.image.chain_of(16)
    place = chain["first"] + DESCRIPTOR_BYTES + BY_NAME["N_K"].address - JOB_BASE
    bus.memory.write(place, np.full(2, 255, np.uint8))
    with pytest.raises(JobError, match="bad_settings in job 2") as error:
        compiled(np.concatenate(bert.inputs)[:16])
    assert error.value.job == 2 and len(bus.runs) == 1


# -- images that are refused ------------------------------------------------------------------------------------------
def changed(image, **fields):
    """Bytes of an image with other values in its header, and a checksum that fits."""
    data = image.data.copy()
    for name, value in fields.items():
        at, n = offsets(HEADER_FIELDS)[name], HEADER_FIELDS[name] // 8
        data[at : at + n] = np.frombuffer(value.to_bytes(n, "little"), np.uint8)
    at = offsets(HEADER_FIELDS)["crc32"]
    data[at : at + 4] = np.frombuffer(crc32(data[CRC_END:].data).to_bytes(4, "little"), np.uint8)
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda image: b"", "x is no image of a model: make one with hdp-hw compile"),
        (lambda image: image.data[: HEADER_BYTES - 1], "x is no image"),
        (lambda image: np.zeros_like(image.data), "x is no image"),
        (lambda image: changed(image, magic=1), "x is no image"),
        (lambda image: changed(image, format=1), "x has format 1, this driver knows 2"),
        (lambda image: image.data[:-1], r"x has \d+ bytes of \d+"),
        (lambda image: np.append(image.data, np.uint8(0)), r"x has \d+ bytes of \d+"),
    ],
)
def test_no_image(bert, data, message):
    with pytest.raises(ImageError, match=message):
        Image.of(data(bert.image), "x")


def test_damage(bert):
    """Whichever bit it is."""
    rng = np.random.default_rng(2)
    for place in rng.integers(CRC_END, len(bert.image.data), 200):
        data = bert.image.data.copy()
        data[place] ^= 1 << rng.integers(8)
        with pytest.raises(ImageError, match=r"damaged|bytes of"):
            Image.of(data)
    np.testing.assert_array_equal(Image.of(bert.image.data.tobytes()).data, bert.image.data)


@pytest.mark.parametrize("change", [{"n_cores": 2}, {"bus_width": 32}, {"max_seq_len": 64, "pruning": 0}], ids=str)
def test_another_core(bert, change):
    params = replace(PARAMS, **change)
    with pytest.raises(ImageError) as error:
        CompiledModel(bert.image, BusBackend(EmulatedBus(params)))
    for name in change:
        assert f"{name} = {getattr(PARAMS, name)}, not {getattr(params, name)}" in str(error.value)
    assert all(f"{name} =" not in str(error.value) for name in NAMES if name not in change)


@pytest.mark.parametrize(
    ("more", "message"),
    [({"size": 1000}, "memory.size = 1000 is not legal; legal: at least"), ({"address": 4}, "memory.address = '0x4'")],
)
def test_unsuitable_buffer(bert, more, message):
    with pytest.raises(ParameterError, match=message):
        bert.on(bert.bus(**more))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (np.zeros((17, 32), int), "tokens of an input = 17 is not legal; legal: 1 to 16"),
        (np.zeros((0, 32), int), "tokens of an input = 0"),
        (np.zeros((4, 31), int), r"legal: integers \(n, 32\)"),
        (np.zeros((4, 32)), "float64"),
        (np.full((4, 32), 1 << 15), "words = '32768 to 32768' is not legal; legal: -32768 to 32767"),
    ],
)
def test_illegal_inputs(bert, words, message):
    with pytest.raises(ParameterError, match=message):
        bert.on(bert.bus())(words)


@pytest.mark.parametrize(
    ("change", "tokens", "message"),
    [
        ({"encoder": 0}, (8,), "encoder = 0 is not legal; legal: 1"),
        ({}, (), r"tokens = \[\]"),
        ({}, (0, 8), r"tokens = \[0, 8\] is not legal; legal: numbers from 1 to max_seq_len = 128"),
        ({}, (129,), "legal: numbers from 1 to max_seq_len = 128"),
        ({"max_head_dim": 16, "max_seq_len": 16, "tile": 8}, (8,), "normalised row = 32 is not legal; legal: 2 to"),
    ],
)
def test_models_that_do_not_fit(bert, change, tokens, message):
    params = replace(PARAMS, **change)
    with pytest.raises(ParameterError, match=message):
        compile_model(bert.model, params, tokens)
