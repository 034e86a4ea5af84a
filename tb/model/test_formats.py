"""hdp_hw/spec/formats.py: values that software in the field relies on, and what hardware and drivers make of them."""

import dataclasses

import pytest

from hdp_hw.driver.memory_layout import RECORD
from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.shell.commands import head_record_layout, job_layout
from hdp_hw.spec import formats
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import HeadSettings, field_limits


def test_entry():
    assert formats.ENTRY_BYTES == 32 and formats.ENTRY_WORDS == 8
    assert {name: tuple(field) for name, field in formats.entry_fields().items()} == {
        "mult": (0, 0, 8, False),
        "shift": (0, 8, 6, False),
        "rho": (0, 16, 9, True),
        "margin": (1, 0, 32, False),
        "kappa": (2, 0, 8, False),
        "kappa_shift": (2, 8, 5, False),
        "log_mass": (2, 16, 9, False),
        "tau_head": (3, 0, 32, False),
        "min_keep": (4, 0, 9, False),
    }


def test_entry_holds_what_heads_of_a_job_may_differ_in():
    shared = {field.name for field in BY_NAME["MODE"].fields} | {"n_q", "n_k", "head_dim", "reuse"}
    assert {field.name for field in dataclasses.fields(HeadSettings)} - shared == set(formats.entry_fields())


@pytest.mark.parametrize("config", CONFIGS)
def test_every_legal_setting_fits_its_entry(config):
    layout = settings_layout(CONFIGS[config])
    for name, field in formats.entry_fields().items():
        low, high = field_limits(CONFIGS[config])[name]
        first = -1 << (field.width - 1) if field.signed else 0
        assert first <= low and high < first + (1 << field.width) and field.low + field.width <= 32
        assert layout[name].width <= field.width


def test_entry_words_are_consecutive_registers():
    addresses = [BY_NAME[name].address for name in formats.ENTRY_REGISTERS]
    assert addresses == list(range(addresses[0], addresses[0] + 20, 4))


def test_record():
    assert formats.RECORD_BYTES == 32
    assert formats.offsets(formats.RECORD_FIELDS) == {
        "head": 0, "verdict": 2, "error": 3, "n_visited": 4, "n_kept": 8, "theta_head": 12, "reserved": 20,
    }  # fmt: skip
    layout = head_record_layout()
    assert layout.size == 8 * formats.RECORD_BYTES == 8 * RECORD.itemsize
    for name, offset in formats.offsets(formats.RECORD_FIELDS).items():
        assert layout[name].offset == 8 * offset and RECORD.fields[name][1] == offset
        assert layout[name].width == formats.RECORD_FIELDS[name] == 8 * RECORD.fields[name][0].itemsize


def test_addresses_are_in_the_order_of_their_registers():
    low = [register for register in REGISTERS if register.group == "job" and register.name.endswith("_LOW")]
    assert [register.name.removesuffix("_LOW").lower() for register in low] == list(formats.ADDRESSES)
    addresses = [register.address for register in low]
    assert addresses == list(range(addresses[0], addresses[0] + 64, 8))
    names = [name for name, _ in job_layout(CONFIGS["tiny"]) if name in formats.ADDRESSES]
    assert names == list(formats.ADDRESSES)
    of_encoder = [register.name for register in REGISTERS if register.group == "encoder"]
    assert of_encoder == [f"{name.upper()}_{half}" for name in formats.ENCODER_ADDRESSES for half in ("LOW", "HIGH")]


def test_planes():
    assert [formats.stream_of(plane) for plane in formats.PLANES] == [
        "integer", "fraction", "integer", "fraction", "value",
    ]  # fmt: skip
    assert set(formats.SLICES_PER_WORD) == set(formats.STREAMS)
    strides = [r.name for r in REGISTERS if r.name.endswith("_ROW_STRIDE")]
    assert strides == [f"{name.upper()}_ROW_STRIDE" for name in dict.fromkeys(formats.STRIDES.values())]
    assert tuple(formats.STRIDES) == formats.MATRICES
    assert set(formats.SHARED_PLANES) == {plane for plane in formats.PLANES if plane[0] != "q"}


def test_description_of_the_registers_says_the_same_sizes():
    texts = {field.name: field.desc for field in BY_NAME["MODE"].fields}
    assert f"a {formats.ENTRY_BYTES}-byte entry" in texts["table_enable"]
    assert f"A {formats.RECORD_BYTES}-byte record" in texts["record_enable"]


@pytest.mark.parametrize("config", CONFIGS)
def test_words_hold_their_slices(config):
    params = CONFIGS[config]
    for stream, slices in formats.SLICES_PER_WORD.items():
        width = params.operand_width if stream == "value" else params.digit_width
        assert slices * params.slice_width * width == params.word_width
