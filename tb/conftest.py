"""Fixtures and options of every test."""

import os

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads wait for each other where tests run in parallel

from tb.lib.simulation import SIMULATORS


@pytest.fixture(params=SIMULATORS)
def simulator(request):
    """Each simulator in turn."""
    return request.param


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; runs only with --slow")
    config.addinivalue_line("markers", "formal: a proof; needs what make formal installs")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
