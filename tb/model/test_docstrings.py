"""The documentation of every component, held against the component. CONTRIBUTING.md has the syntax."""

import ast
import importlib
import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.configs import CONFIGS

ROOT = Path(__file__).resolve().parents[2]
PARAMS = replace(CONFIGS["tiny"], encoder=1)  # with every port
SECTIONS = ("Parameters", "Ports", "Timing", "Numerics", "Raises")
REQUIRED = ("Ports", "Timing")
SCOPE = {"In": In, "Out": Out, "signed": signed, "unsigned": unsigned, "data": data, "stream": stream, "wiring": wiring}

#: Arguments that a constructor takes beside the parameters.
EXAMPLES = {
    "BoardDemo": {"divisor": 4, "n_bytes": 4096},
    "BoardMemory": {"n_bytes": 4096},
    "BurstReader": {"longest": 4096},
    "Drain": {"sums_layout": unsigned(8)},
    "LinearDrain": {
        "leaving_layout": data.StructLayout({"data": data.ArrayLayout(signed(8), 1), "beat": 1, "ends": 1})
    },
    "Norm": {"max_features": 384},
    "OperandBuffer": {"n_heads": 3, "n_words": PARAMS.max_words, "word_width": PARAMS.word_width, "long_rows": True},
    "OperandPacker": {"side": "left"},
    "OperandSelect": {"side": "left"},
    "PlaneLoader": {"n_words": PARAMS.max_words, "word_width": PARAMS.lanes * PARAMS.digit_width, "keyed": True},
    "Queue": {"shape": unsigned(8), "depth": 4},
    "PredictControl": {"means_latency": 5},
    "ReadArbiter": {"n": 2},
    "Reciprocal": {"width": PARAMS.seq_width},
    "ResultRouter": {"score_latency": 8, "context_latency": 6},
    "RowAccumulator": {"term_width": 8, "width": PARAMS.context_width},
    "RowPipeline": {"sums_layout": unsigned(8)},
    "RowWriter": {"n_targets": 2},
    "UartReceiver": {"divisor": 4},
    "UartTransmitter": {"divisor": 4},
    "WriteArbiter": {"n": 2},
}


def public_classes(path):
    """Names of the public classes of a file that are components, read off the syntax tree."""
    return [
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(ast.unparse(base).endswith("Component") for base in node.bases)
    ]


FILES = [
    path
    for folder in ("common", "array", "approximation", "pruning", "core", "encoder", "shell", "boards")
    for path in sorted((ROOT / "hdp_hw" / "rtl" / folder).glob("*.py"))
    if public_classes(path)
]


def load(path):
    """``(module, class, instance for tiny)`` of a component file."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    name = "".join(word.capitalize() for word in path.stem.split("_"))
    component = getattr(module, name)
    params = [PARAMS] if "params" in inspect.signature(component).parameters else []
    return module, component, component(*params, **EXAMPLES.get(name, {}))


def sections_of(documented):
    """``{title: lines}`` of a docstring's sections."""
    lines = inspect.getdoc(documented).splitlines()
    starts = [i - 1 for i, line in enumerate(lines) if re.fullmatch("-{3,}", line)]
    return {lines[start]: lines[start + 2 : end] for start, end in zip(starts, [*starts[1:], len(lines)])}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_public_component(path):
    assert public_classes(path) == ["".join(word.capitalize() for word in path.stem.split("_"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_sections(path):
    _, component, _ = load(path)
    sections = sections_of(component)
    assert list(sections) == [title for title in SECTIONS if title in sections], f"sections are {', '.join(sections)}"
    assert not set(REQUIRED) - set(sections), f"no section {set(REQUIRED) - set(sections)}"
    takes = [name for name in inspect.signature(component.__init__).parameters if name != "self"]
    written = "\n".join(sections.get("Parameters", []))
    named = [name for line in re.findall(r"^([\w, ]+)(?: : .*)?$", written, re.M) for name in line.split(", ")]
    assert [name for name in takes if name in named] == takes, (
        f"Parameters names {named}, the constructor takes {takes}"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_ports(path):
    module, component, instance = load(path)
    scope = SCOPE | vars(module) | {"params": PARAMS, "self": instance}
    lines = sections_of(component)["Ports"]
    written = dict(re.fullmatch(r"(\w+) : (.*)", line).groups() for line in lines if re.match(r"\w+ : ", line))
    members = dict(instance.signature.members)
    assert set(written) == set(members), f"Ports and signature differ in {set(written) ^ set(members)}"
    for name, text in written.items():
        documented, actual = eval(text, scope), members[name]
        assert documented.flow == actual.flow, f"{name} is {actual.flow}"
        assert facts(documented) == facts(actual), f"{name} : {text} is not the signature's {actual}"


def ports(path):
    """``[(name, text)]`` of the Ports section; the text is that right below the port's line."""
    lines = sections_of(load(path)[1])["Ports"]
    return [
        (line.partition(" : ")[0], below.strip() if below.startswith("    ") else "")
        for line, below in zip(lines, [*lines[1:], ""])
        if re.match(r"\w+ : ", line)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_port_has_a_sentence(path):
    """Each port says, right below its line, who drives it and what it promises, without leaning on its neighbours."""
    silent = [name for name, text in ports(path) if not re.match(r"[A-Z0-9``{]", text)]
    assert not silent, f"{', '.join(silent)} of {path.name} have no sentence of their own"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_names_and_shapes_have_one_form(path):
    """Streams and ports inside are i and o, or begin so; shapes are layouts, ``signed()`` or ``unsigned()``."""
    if path.parent.name in ("array", "approximation", "pruning", "core"):
        assert all(re.match(r"[io](_|$)", name) for name, _ in ports(path)), f"ports of {path.name}"
    for line in sections_of(load(path)[1])["Ports"]:
        bare = re.match(r"\w+ : (?:In|Out)\((?:\d+|range\(.*|[\w.]*_width|Verdict)\)$", line)
        assert not bare, f"{path.name}: {line} does not say whether it has a sign"


@pytest.mark.parametrize("path", sorted((ROOT / "hdp_hw" / "rtl").glob("*/*.py")), ids=lambda path: path.stem)
def test_golden_twins_are_named_in_one_form(path):
    for text in re.findall(r"Golden twin.*", path.read_text()):
        assert re.match(r"Golden twins? ``(golden|hdp_hw)\.[\w.]+``", text), f"{path.name}: {text}"


def facts(member):
    """What must agree of two members: shapes by their bits and sign, layouts field by field; interfaces likewise."""
    if member.is_port:
        shape = member.shape
        return (shape if isinstance(shape, data.Layout) else Shape.cast(shape)), member.dimensions
    return {path: facts(leaf) for path, leaf in member.signature.members.flatten()}, member.dimensions
