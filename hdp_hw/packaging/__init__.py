"""What tools for SoCs take beside the Verilog: FuseSoC core file, Vivado packaging script, constraints, self-test."""

from hdp_hw.packaging.constraints import constraints
from hdp_hw.packaging.fusesoc import core_file
from hdp_hw.packaging.self_test import self_test
from hdp_hw.packaging.vivado import package_ip


def packages(label, params, ports):
    """``{file: text}`` for the folder of a configuration; ``ports`` of hdp_top as :func:`hdp_hw.generate.ports_of`."""
    return {
        "hdp.core": core_file(label),
        "package_ip.tcl": package_ip(label, params, ports),
        "hdp_top_tb.v": self_test(label, params, ports),
        **constraints(),
    }
