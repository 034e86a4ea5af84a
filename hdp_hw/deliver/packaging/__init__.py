"""What tools for SoCs take beside the Verilog: FuseSoC core file, Vivado packaging script, constraints, self-test."""

from pathlib import Path

from hdp_hw.deliver.packaging.fusesoc import core_file
from hdp_hw.deliver.packaging.self_test import self_test
from hdp_hw.deliver.packaging.vivado import package_ip

CONSTRAINTS = Path(__file__).parents[1] / "constraints"  #: out of context, a file for each kind of tool


def packages(label, params, ports):
    """``{file: text}`` for the folder of a configuration; ``ports`` of hdp_top as
    :func:`hdp_hw.rtl.verilog.ports_of`."""
    return {
        "hdp.core": core_file(label),
        "package_ip.tcl": package_ip(label, params, ports),
        "hdp_top_tb.v": self_test(label, params, ports),
        **{f"constraints/{path.name}": path.read_text(encoding="utf-8") for path in sorted(CONSTRAINTS.iterdir())},
    }
