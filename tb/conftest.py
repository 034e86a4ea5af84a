"""Fixtures and options of every test."""

import gc
import os

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other where tests run in parallel

from tb.lib.simulation import SIMULATORS

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
        for item in repeats_under_icarus(items):
            item.add_marker(pytest.mark.slow)
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


def repeats_under_icarus(items):
    """Runs under Icarus, after a bench's first, of what Verilator runs with the same parameters."""
    runs = {}
    for item in items:
        if simulator := getattr(item, "callspec", None) and item.callspec.params.get("simulator"):
            others = repr(sorted((name, value) for name, value in item.callspec.params.items() if name != "simulator"))
            runs.setdefault(item.function, {}).setdefault(simulator, {})[others] = item
    later = [(of_bench, *run) for of_bench in runs.values() for run in list(of_bench.get("icarus", {}).items())[1:]]
    return [item for of_bench, others, item in later if others in of_bench.get("verilator", {})]
