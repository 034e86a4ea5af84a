"""The register map: generated files up to date, nothing overlaps, all that a job needs can be said in it."""

import shutil
import subprocess
from dataclasses import fields, replace

import pytest

from hdp_hw.__main__ import main
from hdp_hw.deliver.registers import PACKAGE, generated
from hdp_hw.golden.bits.shell.register_bank import FULL_STROBE, RegisterBank
from hdp_hw.rtl.shell.axi_lite import ADDRESS_WIDTH
from hdp_hw.rtl.shell.register_bank import counter_layout, event_layout, job_fields, job_fields_layout
from hdp_hw.spec import formats, image
from hdp_hw.spec.configs import CONFIGS, vars_of
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.settings import HeadSettings, Rule, field_limits

PARAMS = CONFIGS["tiny"]
LAYERS = replace(PARAMS, encoder=1)
TINY = CONFIGS["tiny"]
JOB = job_fields(TINY)


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path):
    assert path.read_text() == generated()[path], f"{path.name} is stale: run hdp-hw registers"


def test_command_notices_a_stale_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hdp_hw.deliver.registers.PACKAGE", tmp_path / "hdp_hw")
    assert main(["registers"]) == 1
    assert "it works in a checkout of them alone" in capsys.readouterr().err and not list(tmp_path.iterdir())
    (tmp_path / "docs").mkdir()
    assert main(["registers", "--check"]) == 1
    assert capsys.readouterr().out.count("is stale") == 3 and not list((tmp_path / "docs").iterdir())
    assert main(["registers"]) == 0
    assert main(["registers", "--check"]) == 0
    (tmp_path / "docs" / "registers.md").write_text("")
    assert main(["registers", "--check"]) == 1


def test_nothing_overlaps():
    addresses = [register.address for register in REGISTERS]
    assert addresses == sorted(set(addresses)) and all(address % 4 == 0 for address in addresses)
    assert addresses[-1] < 1 << ADDRESS_WIDTH
    members = [name for register in REGISTERS for name in register.members]
    assert len(members) == len(set(members)) and len(BY_NAME) == len(REGISTERS)
    for register in REGISTERS:
        masks = [field.mask for field in register.fields]
        assert sum(masks) == sum(masks) & 0xFFFFFFFF
        assert sum(mask.bit_count() for mask in masks) == sum(masks).bit_count(), f"fields of {register.name} overlap"


def test_every_setting_has_limits():
    assert set(field_limits(LAYERS)) == {field.name for field in fields(HeadSettings)}


@pytest.mark.parametrize("params", [*CONFIGS.values(), LAYERS], ids=[*CONFIGS, "encoder"])
def test_every_setting_can_be_written(params):
    of_registers = {
        name: limits for name, limits in field_limits(params).items() if name != "reuse"
    }  # the engine's own
    for name, (low, high) in of_registers.items():
        (register, field), *others = [
            (register, field)
            for register in REGISTERS
            for member, field in register.members.items()
            if register.group == "job" and name in (field.name, member)
        ]
        assert not others, f"{name} is in several registers"
        for value in (low, high):
            assert register.unpack(register.pack(**{field.name: value}))[field.name] == value


def test_rules_have_their_names():
    assert dict(JOB["mode_rule"].values) == {rule.name.lower(): rule for rule in Rule}


def test_parameters_are_those_of_the_generator():
    registers = [register for register in REGISTERS if register.group == "parameters"]
    assert sorted(register.name.lower() for register in registers) == sorted(vars_of(HdpParams()))


def test_layouts_follow_the_map():
    assert len(job_fields_layout(TINY).members) == len(JOB) and job_fields_layout(TINY)["scale_rho"].shape.signed
    assert BY_NAME["IRQ_ENABLE"].fields[0].width == event_layout().size
    halves = [f"{name.upper()}_{half}" for name in counter_layout().members for half in ("LOW", "HIGH")]
    assert halves == [register.name for register in REGISTERS if register.group == "counters"]


def test_pack_and_unpack():
    scale = BY_NAME["SCALE"]
    assert scale.pack(mult=255, shift=3, rho=-1) == 0x01FF03FF
    assert scale.unpack(0x01FF03FF) == {"mult": 255, "shift": 3, "rho": -1}
    with pytest.raises(ValueError, match=r"field SCALE\.rho = 256 is not legal; legal: -256 to 255"):
        scale.pack(rho=256)
    with pytest.raises(ValueError, match="register SCALE has no field tau; it has mult, shift, rho"):
        scale.pack(tau=0)


def test_header(tmp_path):
    """The header compiles without a warning, in C99 and C++, and says what the map says."""
    facts = [(f"HDP_{register.name}_OFFSET", register.address) for register in REGISTERS]
    facts += [(f"HDP_{r.name}_RESET", r.reset) for r in REGISTERS if r.reset is not None]
    for register in REGISTERS:
        for member, field in register.members.items():
            facts += [(f"HDP_{member.upper()}_MASK", field.mask), (f"HDP_{member.upper()}_SHIFT", field.low)]
            facts += [(f"HDP_{member.upper()}_{name.upper()}", value) for name, value in field.values]
    facts += [("HDP_ENTRY_BYTES", 32), ("HDP_ENTRY_REGISTERS", 5), ("HDP_RECORD_BYTES", 32)]
    facts += [("HDP_UNWRITTEN", 0xFF), ("HDP_REGION_ALIGNMENT", 256)]
    for name, offset in formats.offsets(formats.RECORD_FIELDS).items():
        facts.append((f"HDP_RECORD_{name.upper()}_AT", offset))
        facts.append((f"HDP_RECORD_{name.upper()}_BYTES", formats.RECORD_FIELDS[name] // 8))
    facts += [("HDP_IMAGE_MAGIC", image.IMAGE_MAGIC), ("HDP_IMAGE_FORMAT", 2)]
    for table, n_bytes in (("HEADER", 120), ("CHAIN", 16), ("ATTENTION", 16)):
        fields = formats.offsets(getattr(image, f"{table}_FIELDS"))
        facts += [
            (f"HDP_{table}_BYTES", n_bytes),
            *((f"HDP_{table}_{name.upper()}_AT", at) for name, at in fields.items()),
        ]
    enumerators = [f"HDP_{name.upper()}" for name in (*formats.ADDRESSES, "regions")]
    facts += [(name, index) for index, name in enumerate(enumerators)]
    mode = BY_NAME["MODE"].pack(rule=Rule.MASS, causal=1)
    facts.append(("(HDP_PUT(MODE_RULE, HDP_MODE_RULE_MASS) | HDP_PUT(MODE_CAUSAL, 1))", mode))
    facts.append((f"HDP_GET(MODE_RULE, {mode}u)", Rule.MASS))
    text = (PACKAGE / "driver" / "c" / "hdp_registers.h").read_text()
    macros = [line.split()[1].partition("(")[0] for line in text.splitlines() if line.startswith("#define")]
    assert len(macros) == len(set(macros)) and len(macros) == len(facts) - 2 - len(enumerators) + len(
        ("H", "GET", "PUT")
    )
    checks = "\n".join(
        f"    if ({macro} != {int(value)}u) return {index + 1};" for index, (macro, value) in enumerate(facts)
    )
    source = tmp_path / "check.c"
    source.write_text(
        f'#include "hdp_registers.h"\n#include "hdp_registers.h"\nint main(void)\n{{\n{checks}\n    return 0;\n}}\n'
    )
    warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{PACKAGE / 'driver' / 'c'}"]
    for compiler, language, standard in (("cc", "c", "c99"), ("c++", "c++", "c++11")):
        assert shutil.which(compiler), f"{compiler} is missing"
        program = tmp_path / standard
        subprocess.run([compiler, "-x", language, f"-std={standard}", *warnings, source, "-o", program], check=True)
        wrong = subprocess.run([program], check=False).returncode
        assert wrong == 0, f"{facts[wrong - 1]} (modulo 256)"


def test_description_is_checked(tmp_path, monkeypatch):
    path = tmp_path / "wrong.rdl"
    path.write_text("addrmap hdp { regfile { reg { field { sw = rw; hw = w; } value[31:0]; } A @ 0; } general @ 0; };")
    monkeypatch.setattr("hdp_hw.deliver.registers.DESCRIPTION", path)
    with pytest.raises(ValueError, match=r"hdp\.general\.A\.value: sw = rw, hw = w, reset = None go not together"):
        generated()


class TestGoldenBank:
    """The golden model that the RTL is held against, by hand."""

    def bank(self):
        return RegisterBank(PARAMS)

    def write(self, bank, name, word, strobe=FULL_STROBE, **more):
        bank.clock(write=(BY_NAME[name].address, word, strobe), **more)
        return bank.answer["write_error"]

    def read(self, bank, name, **more):
        bank.clock(read=BY_NAME[name].address, **more)
        assert not bank.answer["read_error"]
        return bank.answer["read_data"]

    def test_constants_and_parameters(self):
        assert self.read(self.bank(), "ID") == int.from_bytes(b"HDPA", "big")
        parameters = vars_of(PARAMS)
        assert [self.read(self.bank(), name.upper()) for name in parameters] == list(parameters.values())
        assert self.read(self.bank(), "CONTROL") == 0

    def test_what_is_refused(self):
        bank = self.bank()
        assert self.write(bank, "ID", 1) and self.write(bank, "CYCLES_LOW", 1) and self.write(bank, "N_Q", 1, strobe=7)
        assert not self.write(bank, "N_Q", 0x12345) and self.read(bank, "N_Q") == 0x2345
        bank.clock(write=(0x1000 - 4, 1, FULL_STROBE), read=0x1000 - 4)
        assert bank.answer == {"write_error": 1, "read_error": 1, "read_data": 0}

    def test_interrupt(self):
        bank = self.bank()
        self.write(bank, "IRQ_ENABLE", 2)
        bank.clock(events=["job_done", "bad_settings"])
        bank.clock()
        assert bank.irq and self.read(bank, "IRQ_STATUS") == 3
        self.write(bank, "IRQ_STATUS", 2, events=["bad_settings"])  # what happens is not lost
        assert self.read(bank, "IRQ_STATUS") == 3
        self.write(bank, "IRQ_STATUS", 2)
        bank.clock()
        assert not bank.irq and self.read(bank, "IRQ_STATUS") == 1

    def test_commands_last_one_clock_cycle(self):
        bank = self.bank()
        self.write(bank, "CONTROL", 9)
        assert bank.control == {"start": 1, "abort": 0, "reset": 0, "clear_counters": 1}
        bank.clock()
        assert not any(bank.control.values())

    def test_reset(self):
        bank = self.bank()
        self.write(bank, "N_Q", 5)
        self.write(bank, "CONTROL", 4)
        assert self.read(bank, "N_Q") == 5  # in the clock cycle of the command
        assert self.read(bank, "N_Q") == 0 and self.read(bank, "MODE") == Rule.DENSE

    def test_counter(self):
        bank, first, second = self.bank(), {"cycles": 0x1_FFFFFFFF, "heads": 7}, {"cycles": 0x2_00000000, "heads": 8}
        assert self.read(bank, "CYCLES_HIGH", counters=first) == 0
        assert self.read(bank, "CYCLES_LOW", counters=first) == 0xFFFFFFFF
        assert self.read(bank, "HEADS_LOW", counters=second) == 8
        assert self.read(bank, "CYCLES_HIGH", counters=second) == 1
