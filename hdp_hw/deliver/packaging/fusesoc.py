"""FuseSoC core file (CAPI2) of one configuration."""

import re

import hdp_hw
from hdp_hw.rtl.verilog import LINT_WAIVERS

CORE = """\
CAPI=2:
# Checked with FuseSoC 2.4.7: core show, run --target=sim under Icarus 11, run --setup of the other targets
# (tb/model/test_packaging.py).
name: hdp-hw:hdp:{name}:{version}
description: HDP-HW attention co-processor, configuration {label}
license: BSD-2-Clause

filesets:
  top:
    files: [hdp_top.v]
    file_type: verilogSource-2005
  core:
    files: [hdp_core.v]
    file_type: verilogSource-2005
  driver:
    files:
      - hdp_registers.h: {{is_include_file: true}}
      - hdp.h: {{is_include_file: true}}
      - hdp.c
    file_type: cSource
  constraints:
    files:
      - constraints/hdp_top.xdc: {{file_type: xdc}}
      - constraints/hdp_top.sdc: {{file_type: SDC}}
      - constraints/hdp_top.lpf: {{file_type: LPF}}
  self_test:
    files: [hdp_top_tb.v]
    file_type: verilogSource-2005

targets:
  default: &default
    description: the co-processor, for cores that depend on it
    filesets: [top]
    toplevel: hdp_top
  core:
    description: a core alone, with streams in place of buses
    filesets: [core]
    toplevel: hdp_core
  lint:
    <<: *default
    description: the co-processor under Verilator's -Wall, with the waivers that Amaranth's Verilog needs
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, {waivers}]
  sim:
    description: the self-test of hdp_top_tb.v
    filesets: [top, self_test]
    toplevel: hdp_top_tb
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005]
"""


def core_file(label):
    """Text of the core file."""
    return CORE.format(
        name=re.sub(r"\W", "_", label),
        label=label,
        version=hdp_hw.__version__,
        waivers=", ".join(f"-Wno-{name}" for name in LINT_WAIVERS),
    )
