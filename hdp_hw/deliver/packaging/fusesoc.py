"""FuseSoC core file (CAPI2) of one configuration."""

import json
import re
import unicodedata

import hdp_hw

CORE = """\
CAPI=2:
# Checked with FuseSoC 2.4.7: core show, run of sim (with --tool=verilator, too) and lint under Icarus 11, Verilator
# 5.006 and 5.048; run --setup of the other targets (tb/model/test_packaging.py).
name: hdp-hw:hdp:{name}:{version}
description: {description}
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
      - hdp_model.h: {{is_include_file: true}}
      - hdp.c
      - hdp_model.c
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
    description: the co-processor under Verilator's -Wall, but for matters of style, which include initial values
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, -Wno-WIDTH, -Wno-CASEINCOMPLETE, -Wno-style]
  sim:
    description: the self-test of hdp_top_tb.v
    filesets: [top, self_test]
    toplevel: hdp_top_tb
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005]
      mode: binary
      verilator_options: [--timing, -Wno-lint, -Wno-TIMESCALEMOD]
"""


def core_file(label):
    """Text of the core file. Its name has ASCII letters and digits alone, or FuseSoC ignores it."""
    description = f"HDP-HW attention co-processor, configuration {label}"
    return CORE.format(name=core_name(label), description=json.dumps(description), version=hdp_hw.__version__)


def core_name(label):
    """``label`` without accents, and with an underscore for whatever else is neither a letter nor a digit."""
    ascii_label = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"\W", "_", ascii_label) or "core"
