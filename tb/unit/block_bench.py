"""What the benches of hdp_hw/rtl/array, hdp_hw/rtl/core and the executing side of hdp_hw/rtl/pruning share."""

import os

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Shape
from amaranth.lib import data

from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from tb.lib.simulation import SIMULATORS, simulate

CORES = {
    "tiny": CONFIGS["tiny"],
    "small": HdpParams(tile=4, lanes=8, digit_width=8, max_head_dim=32, max_seq_len=32),
    "narrow": HdpParams(tile=2, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16),  # a slice is one element
    "packed": HdpParams(tile=4, lanes=8, max_head_dim=16, max_seq_len=16, multiplier=18),
    "packed_narrow": HdpParams(tile=2, lanes=4, max_head_dim=16, max_seq_len=16, multiplier=18),
    "encoder": HdpParams(tile=2, lanes=16, max_head_dim=16, max_seq_len=32, multiplier=18, encoder=1),
    "wide_encoder": HdpParams(tile=4, lanes=32, max_head_dim=64, max_seq_len=64, multiplier=18, encoder=1),
    "narrow_encoder": HdpParams(tile=8, lanes=16, max_head_dim=16, max_seq_len=32, multiplier=18, encoder=1),
    "quick": HdpParams(tile=4, lanes=64, digit_width=4, max_head_dim=16, max_seq_len=16),  # softmax takes two rows
    "halves": HdpParams(tile=4, lanes=16, digit_width=4, max_head_dim=32, max_seq_len=16),  # softmax takes half a row
}
PARAMS = CORES[os.environ.get("HDP_CONFIG", "tiny")]  #: of the block under test, on the simulator's side


def on_cores(*more):
    """Parametrizes a test by ``simulator`` and ``core``: both simulators for tiny and small, Icarus for ``more``."""
    runs = [(simulator, core) for core in ("tiny", "small") for simulator in SIMULATORS]
    return pytest.mark.parametrize("simulator, core", [*runs, *(("icarus", core) for core in more)])


def run(component, test_module, simulator, core, variant="", **environment):
    """Simulate a block of ``CORES[core]`` against the cocotb tests of ``test_module``."""
    name = f"{test_module.rpartition('.test_')[2]}{variant}_{core}"
    simulate(component, test_module, simulator, name=name, plusenv={"HDP_CONFIG": core, **environment})


def bench_rng():
    """numpy's random numbers, from cocotb's seed."""
    return np.random.default_rng(cocotb.RANDOM_SEED)


def signed_integers(rng, shape, width):
    """Random signed integers of ``width`` bits: any, or all of them extreme, or the lowest everywhere."""
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    kind = rng.integers(0, 8)
    if kind == 0:
        return np.full(shape, low)
    return rng.choice([low, high], shape) if kind == 1 else rng.integers(low, high + 1, shape)


def bits(layout, value):
    """A record as an unsigned integer: dictionaries for structures, sequences for arrays, integers for the rest."""
    if not isinstance(layout, data.Layout):
        return int(value) & ((1 << Shape.cast(layout).width) - 1)
    items = value.items() if isinstance(layout, data.StructLayout) else enumerate(value)
    return sum(bits(layout[key].shape, item) << layout[key].offset for key, item in items)
