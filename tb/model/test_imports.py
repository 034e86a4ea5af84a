"""Imports run one way: read off the syntax trees, so that imports inside functions count too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path.relative_to(ROOT) for top in ("hdp_hw", "golden") for path in sorted((ROOT / top).rglob("*.py"))]

# No HDL, no numpy; everyone may import them.
PARAMETER_FILES = {
    "params",
    "configs",
    "settings",
    "tables",
    "timing",
    "depths",
    "failure",
    "registers",
    "register_map",
    "link_protocol",
}
LAYERS = {  # folder of hdp_hw: the folders it may import, itself aside
    "common": (),
    "array": ("common", "approximation"),  # a tile is summed by ScoreComposers
    "approximation": ("common",),
    "pruning": ("common",),
    "core": ("common", "array", "approximation", "pruning"),
    "shell": ("common", "array", "approximation", "pruning", "core"),
    "boards": ("common", "shell", "generate"),  # a board's tools take the Verilog
}


def imports(path):
    """Modules that a file imports, each name imported from a package included."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def allowed(path, module):
    """Whether the file may import the module."""
    top, place = path.parts[0], path.with_suffix("").parts[1]  # place: a folder of hdp_hw, or a file right in it
    package, member = (*module.split("."), "")[:2]
    if package == "tb":
        return False
    if top == "golden":
        return package != "amaranth" and (package != "hdp_hw" or member in PARAMETER_FILES)
    if place in PARAMETER_FILES or place == "__init__":
        return package not in ("amaranth", "numpy", "golden") and (package != "hdp_hw" or member in PARAMETER_FILES)
    if place in LAYERS:
        layers = {place, *LAYERS[place]} | PARAMETER_FILES
        return package not in ("numpy", "golden") and (package != "hdp_hw" or member in layers)
    return True  # driver, bench and command line are on top: they may import everything, golden too


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_run_one_way(path):
    wrong = sorted({module for module in imports(path) if not allowed(path, module)})
    assert not wrong, f"{path} imports {', '.join(wrong)}"


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("hdp_hw/common/layouts.py", "hdp_hw.array.tile_array"),
        ("hdp_hw/array/dot_unit.py", "hdp_hw.pruning.block_rules"),
        ("hdp_hw/pruning/block_rules.py", "hdp_hw.core.sequencer"),
        ("hdp_hw/core/sequencer.py", "hdp_hw.manifest"),
        ("hdp_hw/shell/hdp_top.py", "hdp_hw.boards.board_demo"),
        ("hdp_hw/core/sequencer.py", "numpy"),
        ("hdp_hw/core/sequencer.py", "golden.digits"),
        ("hdp_hw/params.py", "amaranth.hdl"),
        ("hdp_hw/tables.py", "numpy"),
        ("hdp_hw/params.py", "hdp_hw.common.layouts"),
        ("hdp_hw/core/sequencer.py", "hdp_hw.driver.simulation"),
        ("golden/digits.py", "hdp_hw.driver.check"),
        ("golden/digits.py", "amaranth"),
        ("golden/digits.py", "hdp_hw.common.pipeline"),
        ("hdp_hw/bench/core.py", "tb.lib.simulation"),
        ("golden/digits.py", "tb.lib.lockstep"),
    ],
)
def test_rules_refuse(path, module):
    assert not allowed(Path(path), module)
