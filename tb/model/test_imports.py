"""Imports run one way, by a rule for every folder; read off the syntax trees, so imports inside functions count too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("hdp_hw", "golden")
SOURCES = [path.relative_to(ROOT) for top in FOLDERS for path in sorted((ROOT / top).rglob("*.py"))]

#: ``{folder: folders that it may import}``, itself aside. A folder that is not named has the rule of the one around it.
RULES = {
    "hdp_hw/spec": (),
    "golden": ("hdp_hw/spec",),
    "golden/bits": ("hdp_hw/spec",),
    "golden/cycles": ("hdp_hw/spec", "golden/bits"),
    "hdp_hw/rtl": ("hdp_hw/spec",),
    "hdp_hw/rtl/common": ("hdp_hw/spec",),
    "hdp_hw/rtl/approximation": ("hdp_hw/spec", "hdp_hw/rtl/common"),
    "hdp_hw/rtl/array": ("hdp_hw/spec", "hdp_hw/rtl/common", "hdp_hw/rtl/approximation"),  # a tile has ScoreComposers
    "hdp_hw/rtl/pruning": ("hdp_hw/spec", "hdp_hw/rtl/common"),
    "hdp_hw/rtl/core": (
        "hdp_hw/spec",
        *(f"hdp_hw/rtl/{each}" for each in ("common", "approximation", "array", "pruning", "encoder")),
    ),
    "hdp_hw/rtl/encoder": ("hdp_hw/spec", "hdp_hw/rtl/common"),
    "hdp_hw/rtl/shell": (
        "hdp_hw/spec",
        *(f"hdp_hw/rtl/{each}" for each in ("common", "approximation", "array", "pruning", "core", "encoder")),
    ),
    "hdp_hw/rtl/boards": ("hdp_hw/spec", "hdp_hw/rtl/common", "hdp_hw/rtl/shell", "hdp_hw/rtl/verilog"),
    "hdp_hw/driver": ("hdp_hw/spec", "golden"),
    "hdp_hw/encoder": ("hdp_hw/spec", "golden", "hdp_hw/driver"),
    "hdp_hw/simulation": ("hdp_hw/spec", "golden", "hdp_hw/rtl", "hdp_hw/driver"),
    "hdp_hw/deliver": ("hdp_hw/spec", "golden", "hdp_hw/rtl", "hdp_hw/driver"),
    "hdp_hw/study": (
        *("hdp_hw/spec", "golden", "hdp_hw/rtl", "hdp_hw/driver", "hdp_hw/encoder", "hdp_hw/simulation"),
        "hdp_hw/deliver",
    ),
    "hdp_hw/soc": ("hdp_hw", "golden"),
    "hdp_hw/commands": ("hdp_hw",),
    "hdp_hw": ("hdp_hw",),  # the command line
}

#: ``{package: folders that may import it}``: what is heavy, or would make one side depend on the other's tools.
PACKAGES = {
    "numpy": (
        *("golden", "hdp_hw/driver", "hdp_hw/encoder", "hdp_hw/simulation", "hdp_hw/deliver", "hdp_hw/study"),
        "hdp_hw/soc",
    ),
    "amaranth": ("hdp_hw/rtl", "hdp_hw/simulation", "hdp_hw/deliver", "hdp_hw/study"),
    "tb": (),
    "golden": (),  # by its name inside the package, hdp_hw.golden, which no folder of a user shadows
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


def rule_of(path):
    """The folder that names the rule for a file."""
    return next(str(folder) for folder in path.parents if str(folder) in RULES)


def inside(place, folder):
    """Whether a file or folder is the folder, or in it."""
    return place == folder or place.startswith(f"{folder}/")


def allowed(path, module):
    """Whether the file may import the module."""
    package = module.partition(".")[0]
    if package in PACKAGES:
        return any(inside(path.as_posix(), folder) for folder in PACKAGES[package])
    if package != "hdp_hw" or module in ("hdp_hw", "hdp_hw.__version__"):
        return True
    place = module.replace(".", "/").replace("hdp_hw/golden", "golden")
    parents = {"/".join(place.split("/")[: n + 1]) for n in range(len(place.split("/")))}
    own = rule_of(path)
    if place in RULES and any(rule.startswith(f"{place}/") and inside(own, rule) for rule in RULES):
        return True  # the package around the file's own, of which a module is imported by name
    of_own = {rule for rule in RULES if rule in parents}
    return own in of_own or any(folder in parents for folder in RULES[own])


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_imports_run_one_way(path):
    wrong = sorted({module for module in imports(path) if not allowed(path, module)})
    assert not wrong, f"{path} imports {', '.join(wrong)}"


def test_what_tests_share_imports_no_test():
    for path in sorted((ROOT / "tb" / "lib").glob("*.py")):
        wrong = {module for module in imports(path) if inside(module.replace(".", "/"), "tb")}
        wrong = {module for module in wrong if not inside(module.replace(".", "/"), "tb/lib")}
        assert not wrong, f"{path} imports {', '.join(sorted(wrong))}"


def test_every_folder_has_a_rule():
    folders = {str(Path(*path.parent.parts[:2])) for path in SOURCES if path.parent != Path("hdp_hw")}
    assert folders <= {*RULES, "golden/data"}


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("hdp_hw/rtl/common/layouts.py", "hdp_hw.rtl.array.tile_array"),
        ("hdp_hw/rtl/array/dot_unit.py", "hdp_hw.rtl.pruning.block_rules"),
        ("hdp_hw/rtl/pruning/block_rules.py", "hdp_hw.rtl.core.sequencer"),
        ("hdp_hw/rtl/core/sequencer.py", "hdp_hw.deliver.manifest"),
        ("hdp_hw/rtl/shell/hdp_top.py", "hdp_hw.rtl.boards.board_demo"),
        ("hdp_hw/rtl/core/sequencer.py", "numpy"),
        ("hdp_hw/rtl/core/sequencer.py", "hdp_hw.golden.bits.digits"),
        ("hdp_hw/rtl/core/sequencer.py", "hdp_hw.simulation.core_simulation"),
        ("hdp_hw/spec/params.py", "amaranth.hdl"),
        ("hdp_hw/spec/tables.py", "numpy"),
        ("hdp_hw/spec/params.py", "hdp_hw.rtl.common.layouts"),
        ("golden/bits/digits.py", "hdp_hw.simulation.check"),
        ("golden/bits/digits.py", "hdp_hw.golden.cycles.clock"),
        ("golden/bits/digits.py", "amaranth"),
        ("golden/bits/digits.py", "hdp_hw.rtl.common.pipeline"),
        ("golden/bits/digits.py", "tb.lib.lockstep"),
        ("hdp_hw/driver/driver.py", "hdp_hw.simulation"),
        ("hdp_hw/driver/driver.py", "hdp_hw.rtl.shell.hdp_top"),
        ("hdp_hw/simulation/check.py", "hdp_hw.deliver.manifest"),
        ("hdp_hw/deliver/manifest.py", "hdp_hw.simulation.check"),
        ("hdp_hw/deliver/synth/flow.py", "hdp_hw.study.bench"),
        ("hdp_hw/study/bench/core.py", "tb.lib.simulation"),
        ("hdp_hw/study/bench/core.py", "golden.bits.digits"),
        ("hdp_hw/study/bench/core.py", "hdp_hw.__main__"),
        ("hdp_hw/study/bench/core.py", "hdp_hw.commands.arguments"),
        ("hdp_hw/commands/bench.py", "numpy"),
    ],
)
def test_rules_refuse(path, module):
    assert not allowed(Path(path), module)
