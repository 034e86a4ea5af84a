"""Fixtures and options of every test."""

import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other where tests run in parallel

from tb.lib.simulation import SIMULATORS

BLOCKS = Path(__file__).parent / "unit"
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
    config.addinivalue_line("markers", "other_simulator: a slow run of a bench, the first under its other simulator")


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(config, items):
    if not config.pluginmanager.hasplugin("tb.lib.mutation"):  # a planted fault may show in any of the runs
        for item, is_first in left_out(items):
            item.add_marker(pytest.mark.slow)
            if is_first:
                item.add_marker(pytest.mark.other_simulator)
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def left_out(items):
    """Runs of benches that ``make test`` leaves out, since a run of the same bench resembles them.

    Each is ``(item, whether it is the first under the other simulator)``. Of a block: all but the first under Icarus,
    which needs no compilation. Of the core and of the co-processor: those under Icarus, but for a bench's first, that
    Verilator runs with the same parameters.
    """
    benches = {}
    for item in (item for item in items if not item.get_closest_marker("slow")):
        if simulator := getattr(item, "callspec", None) and item.callspec.params.get("simulator"):
            others = repr(sorted((name, value) for name, value in item.callspec.params.items() if name != "simulator"))
            benches.setdefault(item.function, []).append((simulator, others, item))
    for runs in benches.values():
        first = next((run for run in runs if run[0] == "icarus"), runs[0])
        compiled = {others for simulator, others, _ in runs if simulator == "verilator"}
        left = [run for run in runs if run is not first]
        other = next((run for run in left if run[0] != first[0]), None)
        for run in left:
            simulator, others, item = run
            if item.path.is_relative_to(BLOCKS) or (simulator == "icarus" and others in compiled):
                yield item, run is other
