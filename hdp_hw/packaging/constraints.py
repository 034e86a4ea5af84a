"""Out-of-context timing constraints of hdp_top, a file for each kind of tool: one clock, and nothing about pins."""

from hdp_hw.synth import TARGET_MHZ

HEADER = """\
# Timing of hdp_top on its own, for {tools}: one clock, {ns:g} ns. There is nothing about pins, and paths from and to
# ports are not timed. {use}
# Checked: {checked}
"""
TCL = "create_clock -name aclk -period {ns:g} [get_ports aclk]\n"
FILES = {  #: {file: (tools, use, checked, text)}
    "constraints/hdp_top.xdc": (
        "Vivado",
        "package_ip.tcl adds it to the IP; within a design the clock is the design's.",
        "its syntax, by tclsh with stubs of the commands. Vivado has not run it.",
        TCL,
    ),
    "constraints/hdp_top.sdc": (
        "Quartus",
        "Declare the ports as virtual pins, for there are more than a package has.",
        "nextpnr-ecp5 (--sdc) takes it, tried on a small design. Quartus has not run it.",
        TCL,
    ),
    "constraints/hdp_top.lpf": (
        "nextpnr-ecp5 and Diamond",
        "With nextpnr-ecp5 use --out-of-context, for there are more ports than a package has pins.",
        "nextpnr-ecp5 (--lpf) takes it, tried on a small design. Diamond has not run it.",
        'FREQUENCY PORT "aclk" {mhz:g} MHZ;\n',
    ),
}


def constraints():
    """``{file: text}``."""
    numbers = {"ns": 1000 / TARGET_MHZ, "mhz": TARGET_MHZ}
    return {
        file: (HEADER + text).format(tools=tools, use=use, checked=checked, **numbers)
        for file, (tools, use, checked, text) in FILES.items()
    }
