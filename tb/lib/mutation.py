"""Planted faults: does a bench fail when its block is wrong?

A mutant replaces one piece of text in one source file. It lives in a child pytest process, which loads this module as
a plugin: an import hook there compiles the changed text in place of the file, whoever imports it. The simulator's own
Python, where the expected values come from, imports the file as it is.
"""

import importlib.abc
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "HDP_MUTATION"  #: holds the mutant as JSON: file, old, new
FAULTS = tomllib.loads((ROOT / "tb" / "planted_faults.toml").read_text())["fault"]


def mutate(file, old, new):
    """Text of ``file`` (relative to the repository) with ``old`` replaced; ValueError unless it occurs exactly once."""
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        raise ValueError(f"{file} has {text.count(old)} occurrences of {old!r}, a mutation needs exactly one")
    return text.replace(old, new)


def bench_notices(file, old, new, bench, name):
    """Whether the module ``bench`` (such as ``tb.unit.common.test_pipeline``) fails in simulation on the mutant, under
    Icarus or, where all of its runs under Icarus are slow, under Verilator.

    Returns ``(noticed, output of pytest)``. A bench that fails without simulating, for example since the mutant cannot
    be built, has noticed nothing. ``name`` names the build folder.
    """
    mutate(file, old, new)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tb.lib.mutation", "-p", "no:cacheprovider"]
    environment = os.environ | {VARIABLE: json.dumps([file, old, new]), "HDP_SIM_FOLDER": f"mutants/{name}"}
    for simulator in ("icarus", "verilator"):
        result = subprocess.run(
            [*command, "-k", simulator, f"{bench.replace('.', '/')}.py"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != pytest.ExitCode.NO_TESTS_COLLECTED:
            break
    return result.returncode == 1 and "BenchFailed: " in result.stdout, result.stdout + result.stderr


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the one module that is mutated, ahead of Python's own finders."""

    def __init__(self, file, old, new):
        self.name = ".".join(Path(file).with_suffix("").parts)
        self.loader = _Loader(self.name, str(ROOT / file), mutate(file, old, new))

    def find_spec(self, name, path, target=None):
        if name == self.name:
            return importlib.util.spec_from_file_location(name, self.loader.path, loader=self.loader)
        return None


class _Loader(importlib.abc.FileLoader):
    """Loads a module from changed text; never from a compiled file, nor into one."""

    def __init__(self, name, path, text):
        super().__init__(name, path)
        self.text = text

    def get_code(self, name):
        return compile(self.text, self.path, "exec", dont_inherit=True)

    def get_source(self, name):
        return self.text


if VARIABLE in os.environ:  # in the child; popped, so that the simulator it starts has the file as it is
    sys.meta_path.insert(0, _Finder(*json.loads(os.environ.pop(VARIABLE))))
