"""The golden model mirrors the hardware: a file of one name, in folders of one name.

A block whose twin is part of another file names it in its docstring; NO_TWIN and NO_BLOCK say why the rest has none.
"""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RTL = ROOT / "hdp_hw" / "rtl"
NAME = re.compile(r"\b(?:hdp_hw|golden)(?:\.\w+)+")

#: Files of the hardware that compute nothing that a model would say.
NO_TWIN = {
    "array/operand_buffer.py": "a memory",
    "core/activity_counters.py": "counts strobes; golden.cycles.core.attention_core says how many come",
    "core/row_queue.py": "a queue; golden.cycles.clock.Queue is its model",
    "pruning/arithmetic.py": "products and sums that Python has",
    "pruning/predictor_rows.py": "layouts and memories of the predictor",
    "shell/axi.py": "signatures of the bus",
    "shell/axi_lite.py": "the bus in front of the register bank",
    "shell/commands.py": "layouts",
    "shell/counters.py": "counts strobes; golden.cycles.shell.job says how many come",
    "shell/job_checks.py": "what is illegal in JobEngine; golden is handed legal jobs",
    "shell/job_words.py": "states of JobEngine, whose twin has them",
    "shell/hdp_top.py": "wiring; golden.cycles.shell.job wires the models",
}

#: Files of the golden model without hardware of the name.
NO_BLOCK = {
    "core/plan.py": "what the schedule takes of a head",
    "core/streams.py": "what is around a core",
    "shell/fetch.py": "fetch upon mask, of HeadLoader, SegmentGenerator and MaskUnion together",
    "shell/job.py": "a job through all of the co-processor",
    "shell/memory.py": "the memory behind the bus",
    "shell/planes.py": "rows of digits, of PlaneSplitter",
    "shell/read_traffic.py": "bytes, which no block counts",
    "shell/write_traffic.py": "bytes and bursts of RowWriter and WriteArbiter together",
}


def files(folder):
    """``folder/name.py`` of the blocks below a folder."""
    parts = ("approximation", "array", "pruning", "core", "shell")
    return {f"{part}/{path.name}" for part in parts for path in (folder / part).glob("[!_]*.py")}


def resolve(name):
    """What a dotted name in prose names; golden lies inside the package."""
    parts = (f"hdp_hw.{name}" if name.startswith("golden") else name).split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[n:]:
            found = getattr(found, attribute)
        return found
    raise ModuleNotFoundError(name)


def names_a_twin(block):
    """Whether the docstring of a block names its twin, in the golden model or in what all sides share."""
    return re.search(r"Golden\s+twins?:?\s+`*(golden\.|hdp_hw\.spec\.)", (RTL / block).read_text())


def test_every_block_has_a_twin_or_a_reason():
    golden = files(ROOT / "golden" / "bits") | files(ROOT / "golden" / "cycles")
    hardware = files(RTL)
    assert len(hardware & golden) >= 32
    alone = {block for block in hardware - golden if not names_a_twin(block)}
    assert alone == {*NO_TWIN}, "a file in golden/bits or golden/cycles, a line `Golden twin`, or an entry of NO_TWIN"
    assert golden - hardware == {*NO_BLOCK}


@pytest.mark.parametrize("path", sorted(RTL.rglob("*.py")), ids=lambda path: str(path.relative_to(RTL)))
def test_names_in_docstrings_resolve(path):
    for name in set(NAME.findall(path.read_text())):
        resolve(name)


def test_a_wrong_name_is_found():
    with pytest.raises(AttributeError, match="no_such"):
        resolve("golden.bits.core.drain.no_such")
    with pytest.raises(AttributeError, match="cycle_model"):
        resolve("golden.cycles.core.cycle_model")
