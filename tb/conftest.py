"""Fixtures and options of every test."""

import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other where tests run in parallel

from tb.lib.simulation import SIMULATORS

BLOCKS = Path(__file__).parent / "unit"
SHELL = BLOCKS / "shell"
gc.set_threshold(100_000, 20, 20)  # elaboration and golden models make many objects that live


@pytest.fixture(params=SIMULATORS)
def simulator(request):
    """Each simulator in turn."""
    return request.param


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; runs only with --slow")
    config.addinivalue_line("markers", "formal: a proof; needs what make formal installs")


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(config, items):
    if not config.pluginmanager.hasplugin("tb.lib.mutation"):  # a planted fault may show in any of the runs
        for item in repeats(items):
            item.add_marker(pytest.mark.slow)
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def repeats(items):
    """Runs of a bench under one simulator that differ from one under the other in nothing else.

    Verilator compiles a block for longer than Icarus simulates it, so these are blocks' runs under Verilator. Of the
    co-processor and the shell, whose simulations are long, they are those under Icarus, but for a bench's first.
    """
    runs = {}
    for item in (item for item in items if not item.get_closest_marker("slow")):
        if simulator := getattr(item, "callspec", None) and item.callspec.params.get("simulator"):
            others = repr(sorted((name, value) for name, value in item.callspec.params.items() if name != "simulator"))
            runs.setdefault(item.function, {"icarus": {}, "verilator": {}})[simulator][others] = item
    for of_bench in runs.values():
        icarus, verilator = of_bench["icarus"], of_bench["verilator"]
        both = [parameters for parameters in icarus if parameters in verilator]
        item = next(iter((icarus | verilator).values()))
        if item.path.is_relative_to(BLOCKS) and not item.path.is_relative_to(SHELL):
            yield from (verilator[parameters] for parameters in both)
        else:
            first = next(iter(icarus), None)
            yield from (icarus[parameters] for parameters in both if parameters != first)
