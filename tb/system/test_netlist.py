"""The netlist for an ECP5 in place of the RTL: the benches of a block and of the core pass on it, cycle by cycle."""

import pytest

from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.configs import CONFIGS
from tb.lib.netlist import netlist_verilog
from tb.lib.simulation import simulate
from tb.model.test_synth import YOSYS
from tb.system import test_attention_core
from tb.unit.core import test_softmax_unit

pytestmark = [
    pytest.mark.slow,  # yosys takes a minute for the core, and Verilator more for its cells
    pytest.mark.skipif(not YOSYS.exists(), reason="yosys is not installed: python3 tools/setup.py synth"),
]
BENCHES = {"softmax_unit": (SoftmaxUnit, test_softmax_unit), "hdp_core": (AttentionCore, test_attention_core)}


def run(top, simulator, testcase=None):
    """Run the bench of a block of BENCHES on its netlist, of `tiny`."""
    component, bench = BENCHES[top]
    options = {"plusenv": {"HDP_CONFIG": "tiny"}, "testcase": testcase, "verilog": netlist_verilog}
    simulate(component(CONFIGS["tiny"]), bench.__name__, simulator, name=f"netlist_{top}", top=top, **options)


def test_block(simulator):
    """A block of multipliers, some with registers of their own, block RAMs and LUT RAMs."""
    run("softmax_unit", simulator)


def test_core():
    """Captured heads under every rule: output, verdict, mask and clock cycles are those of the golden models."""
    run("hdp_core", "verilator", "real_heads_of_every_rule")
