"""Every legal array generates, and its Verilog is clean under Verilator's lint."""

from itertools import product

import pytest

from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.shell.hdp_top import HdpTop
from hdp_hw.rtl.verilog import to_verilog
from hdp_hw.spec.params import LEGAL_DIGIT_WIDTHS, LEGAL_LANES, LEGAL_TILES, HdpParams
from tb.lib.simulation import verilator_lint

QUICK = 32  #: multipliers of the largest array that the regression takes


def arrays():
    for tile, lanes, digit_width in product(LEGAL_TILES, LEGAL_LANES, LEGAL_DIGIT_WIDTHS):
        params = HdpParams(tile, lanes, digit_width, max_head_dim=64, max_seq_len=128)
        slow = [pytest.mark.slow] if params.multipliers > QUICK else []
        yield pytest.param(params, id=f"tile{tile}-lanes{lanes}-w{digit_width}", marks=slow)
    for tile, lanes in product(LEGAL_TILES, LEGAL_LANES):
        params = HdpParams(tile, lanes, multiplier=18)
        slow = [pytest.mark.slow] if params.multipliers > QUICK else []
        yield pytest.param(params, id=f"tile{tile}-lanes{lanes}-multiplier18", marks=slow)


@pytest.mark.parametrize("params", list(arrays()))
def test_lint(params, tmp_path):
    path = tmp_path / "hdp_core.v"
    path.write_text(to_verilog(AttentionCore(params), "hdp_core"))
    verilator_lint(path)


@pytest.mark.parametrize(
    "bus_width, n_cores", [(64, 1), *(pytest.param(*each, marks=pytest.mark.slow) for each in ((32, 2), (128, 3)))]
)
def test_lint_of_the_top(bus_width, n_cores, tmp_path):
    path = tmp_path / "hdp_top.v"
    path.write_text(to_verilog(HdpTop(HdpParams(bus_width=bus_width, n_cores=n_cores)), "hdp_top"))
    verilator_lint(path)


def test_lint_finds_something(tmp_path):
    path = tmp_path / "faulty.v"
    path.write_text("module faulty(input a, output [1:0] b);\n  assign b[0] = a;\nendmodule\n")
    with pytest.raises(AssertionError, match="UNDRIVEN"):
        verilator_lint(path)
