"""docs/driver.md: its code runs, and its tables are what the sources say."""

import inspect
import re
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from hdp_hw.driver import Bounds, LayerSettings, MemoryMapped, trace
from hdp_hw.driver.memory_mapped import ArrayMemory
from hdp_hw.spec.configs import CONFIGS
from tb.lib.docs import code, markdown, part_of
from tb.lib.fake_device import FakeCoprocessor
from tb.lib.simulation import link_models

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "driver.md"


def blocks(path, language="python"):
    """The fenced blocks of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S)


def example_of_the_readme(backend="emulator"):
    """The names that the five lines leave, with another back end in place of the emulator."""
    (block,) = blocks(ROOT / "README.md")
    assert len([line for line in block.splitlines() if line]) == 5 and block.count('"emulator"') == 1
    space = {}
    exec(block.replace('"emulator"', f'"{backend}"'), space)
    return space


def test_example_of_the_readme():
    space = example_of_the_readme()
    assert space["output"].shape == space["q"].shape and 0.05 < space["statistics"].kept_share < 0.5


def test_guide(tmp_path, monkeypatch):
    """Its blocks one after the other, on a co-processor of plain Python where the text has a device."""
    coprocessor, pictures = FakeCoprocessor(CONFIGS["tiny"]), []
    link_models(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ArrayMemory, "u_dma_buf", lambda name: {"udmabuf0": coprocessor.memory}[name])
    monkeypatch.setattr(MemoryMapped, "uio", lambda device, memory: {"/dev/uio0": coprocessor}[device])
    if find_spec("matplotlib") is None:
        monkeypatch.setattr(trace, "draw_masks", lambda results, path, title: pictures.append((path, len(results))))
    space = {}
    for block in blocks(GUIDE):
        exec(block, space)
    np.testing.assert_array_equal(space["same"], space["output"])
    assert len((tmp_path / "layers.jsonl").read_text().splitlines()) == 1
    assert pictures == [("masks.png", 12)] or (tmp_path / "masks.png").stat().st_size > 10_000


# -- tables -----------------------------------------------------------------------------------------------------------
def fields_table(kind):
    """Fields of a dataclass, their defaults, and what its docstring says of them."""
    lines = inspect.getdoc(kind).splitlines()
    lines = lines[lines.index("Parameters") + 2 :]
    meaning, names = {}, []
    for line in lines[: next((i for i, line in enumerate(lines) if line == "Raises"), len(lines))]:
        if heading := re.fullmatch(r"([\w, ]+) : .*", line):
            names = heading[1].split(", ")
        elif line.strip():
            meaning |= {name: f"{meaning.get(name, '')} {line.strip()}".strip() for name in names}
    rows = []
    for field in fields(kind):
        default = {} if field.default_factory is not MISSING else field.default
        shown = default.name.lower() if field.name == "rule" else default
        rows.append(
            [code(field.name), "" if shown is MISSING else code(str(shown)), meaning.pop(field.name).replace("``", "`")]
        )
    assert not meaning, f"{kind.__name__} has no fields {', '.join(meaning)}"
    return markdown(["field", "default", "meaning"], rows)


TABLES = {"layer": lambda: fields_table(LayerSettings), "bounds": lambda: fields_table(Bounds)}


@pytest.mark.parametrize("name", TABLES)
def test_table(name):
    _, written, _ = part_of(GUIDE.read_text(), name)
    expected = TABLES[name]()
    assert written == expected, "the table should be:\n" + "\n".join(expected)


def test_bus_is_what_the_guide_says():
    from hdp_hw.driver.backend import Bus, Memory

    (paragraph,) = re.findall(r"^\*\*Another bus\*\*.*?\n\n", GUIDE.read_text(), re.M | re.S)
    members = {name for kind in (Bus, Memory) for name in (*vars(kind), *kind.__annotations__) if name[0] != "_"}
    assert members <= set(re.findall(r"`(\w+)`", paragraph))
    assert members == {"read32", "write32", "wait", "memory", "address", "size", "read", "write"}
