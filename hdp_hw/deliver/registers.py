"""The files that are generated from ``hdp_hw/spec/registers.rdl`` and, for C, from ``hdp_hw/spec/formats.py``."""

from dataclasses import dataclass
from pathlib import Path

from hdp_hw.spec import formats, image
from hdp_hw.spec.registers import WORD_BYTES, Field, Register

PACKAGE = Path(__file__).resolve().parents[1]
DESCRIPTION = PACKAGE / "spec" / "registers.rdl"
WORD_BITS = 8 * WORD_BYTES
NOTICE = "Generated from hdp_hw/spec/registers.rdl by `hdp-hw registers`; not to be edited."


def generated():
    """``{path: text}`` of the files that the description makes. Raises RDLCompileError if it is not sound."""
    about, groups = read()
    return {
        PACKAGE / "spec" / "register_map.py": "\n".join(python_lines(groups)) + "\n",
        PACKAGE / "driver" / "c" / "hdp_registers.h": "\n".join(header_lines(groups)) + "\n",
        PACKAGE.parent / "docs" / "registers.md": "\n".join(page_lines(about, groups)) + "\n",
    }


# -- the description --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Group:
    """A section of the map."""

    name: str
    title: str
    desc: str
    registers: tuple


def read():
    """``(what is said of the map, [Group])``."""
    from systemrdl import RDLCompiler  # of the test extra: only who changes the description needs it

    compiler = RDLCompiler()
    compiler.compile_file(str(DESCRIPTION))
    top = compiler.elaborate().top
    groups = []
    for group in top.children():
        registers = tuple(register for node in group.registers() for register in _registers(node, group.inst_name))
        groups.append(Group(group.inst_name, group.get_property("name"), _text(group), registers))
    return _text(top), groups


def _registers(node, group):
    """The one register of a node, or the two halves of a wide one."""
    name, address = node.inst_name, node.absolute_address
    fields = tuple(_field(field) for field in node.fields())
    if node.get_property("regwidth") == WORD_BITS:
        yield Register(name, address, group, _text(node), fields)
        return
    (field,) = fields  # a wide register has one field
    for half, (suffix, bits) in enumerate((("LOW", "Bits 31 to 0"), ("HIGH", "Bits 63 to 32"))):
        reset = field.reset and field.reset >> (WORD_BITS * half) & 0xFFFFFFFF
        part = Field(field.name, 0, WORD_BITS, field.access, reset, f"{bits}.")
        yield Register(f"{name}_{suffix}", address + WORD_BYTES * half, group, _text(node), (part,))


def _field(node):
    """Field of a node; what its combination of properties is not made for is refused."""
    access, hardware, reset = node.get_property("sw").name, node.get_property("hw").name, node.get_property("reset")
    singlepulse, w1c = node.get_property("singlepulse"), bool(node.get_property("woclr"))
    driven = hardware == "w" and not w1c
    if access not in ("r", "w", "rw") or (reset is None) != driven or (driven and access != "r"):
        raise ValueError(f"{node.get_path()}: sw = {access}, hw = {hardware}, reset = {reset} go not together")
    if (singlepulse and access != "w") or (w1c and (access != "rw" or not node.get_property("hwset"))):
        raise ValueError(f"{node.get_path()}: singlepulse is made for sw = w, woclr for sw = rw with hwset")
    values = tuple((member.name, member.value) for member in node.get_property("encode") or ())
    signed = bool(node.get_property("hdp_signed"))
    return Field(node.inst_name, node.low, node.width, access, reset, _text(node), singlepulse, w1c, signed, values)


def _text(node):
    """A node's ``desc`` on one line."""
    return " ".join((node.get_property("desc") or "").split())


# -- Python -----------------------------------------------------------------------------------------------------------
def python_lines(groups):
    """Lines of register_map.py, laid out as ruff does."""
    registers = [register for group in groups for register in group.registers]
    yield f'"""The register map of hdp_top. {NOTICE}"""'
    yield from ["", "from hdp_hw.spec.registers import Field, Register", "", "REGISTERS = ("]
    for register in registers:
        fields = [_call("Field", _field_arguments(field), 12) for field in register.fields]
        fields = f"({fields[0]},)" if len(fields) == 1 else _call("", fields, 8)
        words = [_quoted(register.name), f"0x{register.address:03X}", _quoted(register.group), _quoted(register.desc)]
        yield " " * 4 + _call("Register", [*words, fields], 4) + ","
    yield from [")", "", "BY_NAME = {register.name: register for register in REGISTERS}"]


def _field_arguments(field):
    reset = f"0x{field.reset:X}" if field.reset and field.reset > 9 else str(field.reset)
    words = [_quoted(field.name), str(field.low), str(field.width), _quoted(field.access), reset, _quoted(field.desc)]
    words += [f"{name}=True" for name in ("singlepulse", "w1c", "signed") if getattr(field, name)]
    if field.values:
        words.append(f"values=({', '.join(f'({_quoted(name)}, {value})' for name, value in field.values)})")
    return words


def _call(name, arguments, indent):
    """A call, on one line if it fits; the lines after the first are indented by ``indent``."""
    line = f"{name}({', '.join(arguments)})"
    if len(line) + indent < 120 and "\n" not in line:
        return line
    inner = "".join(f"\n{' ' * (indent + 4)}{argument}," for argument in arguments)
    return f"{name}({inner}\n{' ' * indent})"


def _quoted(text):
    return repr(text) if '"' in text else f'"{text}"'


# -- C ----------------------------------------------------------------------------------------------------------------
def header_lines(groups):
    """Lines of hdp_registers.h."""
    yield f"/* The register map of hdp_top. {NOTICE}"
    yield " *"
    yield " * Of each register: HDP_<REGISTER>_OFFSET in bytes; HDP_<REGISTER>_RESET unless hardware drives it. Of each"
    yield " * field: HDP_<REGISTER>_<FIELD>_SHIFT and _MASK, without <FIELD> if it is all of its register. */"
    yield from ["#ifndef HDP_REGISTERS_H", "#define HDP_REGISTERS_H", "", "#include <stdint.h>", ""]
    yield "/* A field's value in a word, and the bits of a word that give a field a value: HDP_GET(MODE_RULE, word). */"
    yield "#define HDP_GET(field, word) (((uint32_t)(word) & HDP_##field##_MASK) >> HDP_##field##_SHIFT)"
    yield "#define HDP_PUT(field, value) (((uint32_t)(value) << HDP_##field##_SHIFT) & HDP_##field##_MASK)"
    for group in groups:
        yield from ["", f"/* -- {group.title} -- */"]
        for register in group.registers:
            yield from ["", f"/* {register.desc} */"]
            yield from _aligned(register)
    yield from ["", *format_lines(), "", "#endif"]


def format_lines():
    """Lines of hdp_registers.h that say what lies in memory."""
    names = [f"HDP_{name.upper()}" for name in formats.ADDRESSES]
    yield "/* -- Formats in memory, of hdp_hw/spec/formats.py: all of it is little-endian -- */"
    yield ""
    yield "/* What a job names by address, in the order of the address registers, which are 8 bytes apart. */"
    yield f"enum {{ {', '.join(names[:4])},"
    yield f"       {', '.join([*names[4:], 'HDP_REGIONS'])} }};"
    yield ""
    rows = [
        ("HDP_ENTRY_BYTES", formats.ENTRY_BYTES, "Of a head's table entry."),
        ("HDP_ENTRY_REGISTERS", len(formats.ENTRY_REGISTERS), "Registers from SCALE on that are its first words."),
        ("HDP_RECORD_BYTES", formats.RECORD_BYTES, "Of a head's record; where its fields begin, and their bytes:"),
    ]
    for name, at in formats.offsets(formats.RECORD_FIELDS).items():
        rows.append((f"HDP_RECORD_{name.upper()}_AT", at, ""))
        rows.append((f"HDP_RECORD_{name.upper()}_BYTES", formats.RECORD_FIELDS[name] // 8, ""))
    rows.append(("HDP_UNWRITTEN", formats.UNWRITTEN, "Bytes of a record before the co-processor writes it."))
    rows.append(("HDP_REGION_ALIGNMENT", formats.REGION_ALIGNMENT, "Bytes: the longest burst on the widest bus."))
    rows.append(("HDP_IMAGE_MAGIC", f"0x{image.IMAGE_MAGIC:016X}", "Of a compiled model, see hdp_hw/spec/image.py:"))
    rows.append(("HDP_IMAGE_FORMAT", image.IMAGE_FORMAT, ""))
    for table in ("HEADER", "CHAIN", "ATTENTION"):
        fields = getattr(image, f"{table}_FIELDS")
        rows.append((f"HDP_{table}_BYTES", getattr(image, f"{table}_BYTES"), ""))
        rows += [(f"HDP_{table}_{name.upper()}_AT", at, "") for name, at in formats.offsets(fields).items()]
    yield from (_macro(name, f"{value}u", remark) for name, value, remark in rows)


def _aligned(register):
    """The macros of a register, their values in one column."""
    rows = [(f"HDP_{register.name}_OFFSET", f"0x{register.address:03X}u", register.access)]
    if register.reset is not None:
        rows.append((f"HDP_{register.name}_RESET", f"0x{register.reset:08X}u", ""))
    for member, field in register.members.items():
        name = f"HDP_{member.upper()}"
        rows.append((f"{name}_SHIFT", f"{field.low}u", ""))
        rows.append((f"{name}_MASK", f"0x{field.mask:08X}u", field.desc))
        rows += [(f"{name}_{value_name.upper()}", f"{value}u", "") for value_name, value in field.values]
    yield from (_macro(*row) for row in rows)


def _macro(name, value, remark):
    return f"#define {name:34} {value:11} {f'/* {remark} */' if remark else ''}".rstrip()


# -- the page ---------------------------------------------------------------------------------------------------------
def page_lines(about, groups):
    """Lines of docs/registers.md."""
    yield from ["# Registers", "", f"<!-- {NOTICE} -->", "", about, ""]
    yield "Access: r read, w write; pulse: a 1 acts once and reads as 0; w1c: writing 1 clears. Reset values are"
    yield "hexadecimal, and - where hardware drives a field. `hdp_hw/spec/register_map.py` has all this as data, and"
    yield "`hdp_hw/driver/c/hdp_registers.h` has it for C."
    for group in groups:
        yield from ["", f"## {group.title}"]
        yield from ["", group.desc] if group.desc else []
        yield from ["", "| address | register | bits | field | access | reset | meaning |", "|---" * 7 + "|"]
        for register in group.registers:
            place = [f"0x{register.address:03X}", f"`{register.name}`"]
            if len(register.fields) > 1:
                yield _row([*place, "", "", "", "", register.desc])
                place = ["", ""]
            for field in register.fields:
                alone = field.name == "value"
                meaning = [register.desc] * (len(register.fields) == 1) + [field.desc] * (field.desc != "Value.")
                meaning += [", ".join(f"{value} {name}" for name, value in field.values) + "."] * bool(field.values)
                bits = f"{field.low + field.width - 1}:{field.low}" if field.width > 1 else str(field.low)
                access = field.access + " pulse" * field.singlepulse + " w1c" * field.w1c
                reset = "-" if field.reset is None else f"{field.reset:X}"
                yield _row([*place, bits, "" if alone else f"`{field.name}`", access, reset, " ".join(meaning)])


def _row(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
