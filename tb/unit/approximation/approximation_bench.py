"""What the benches of hdp_hw/rtl/approximation share: the cores whose blocks they run."""

import os

import pytest

from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from tb.lib.simulation import simulate

CORES = {
    "tiny": CONFIGS["tiny"],
    "server": CONFIGS["server"],
    "smallest": HdpParams(tile=2, lanes=4, digit_width=8, max_head_dim=16, max_seq_len=16),  # narrowest against w
}
PARAMS = CORES[os.environ.get("HDP_CONFIG", "tiny")]  #: of the block under test, on the simulator's side

on_every_core = pytest.mark.parametrize("core", CORES)


def run(component, test_module, simulator, core, variant=""):
    """Simulate a block of ``CORES[core]`` against the cocotb tests of ``test_module``."""
    block = test_module.rpartition(".test_")[2] + variant
    simulate(component, test_module, simulator, name=f"{block}_{core}", plusenv={"HDP_CONFIG": core})
