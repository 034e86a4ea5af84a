"""Script that packages hdp_top as an IP core for Vivado's IP integrator."""

import hdp_hw
from hdp_hw.rtl.shell.axi_lite import ADDRESS_WIDTH
from hdp_hw.spec.depths import MAX_BURST_BEATS

SCRIPT = """\
# Packages hdp_top ({label}) as an IP core. In this folder,
#     vivado -mode batch -source package_ip.tcl
# leaves it in ip/, which goes into a project's ip_repo_paths.
#
# Checked: the control flow, by tclsh with stubs of Vivado's commands, and the names of the ports against manifest.json.
# Vivado has not run it.

set folder [file dirname [file normalize [info script]]]
create_project -force package_ip [file join $folder vivado]
add_files -norecurse [file join $folder hdp_top.v]
set xdc [add_files -fileset constrs_1 -norecurse [file join $folder constraints hdp_top.xdc]]
set_property USED_IN {{synthesis implementation out_of_context}} $xdc
set_property top hdp_top [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $folder ip] -vendor hdp-hw -library hdp -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name hdp_top $core
set_property version {version} $core
set_property display_name {{HDP-HW attention co-processor ({label})}} $core
set_property description {{Attention with hybrid dynamic pruning: AXI4 master, AXI4-Lite registers, interrupt}} $core
set_property vendor_display_name HDP-HW $core

# The bus interface of this name: the one that package_project has inferred from the ports, or a new one.
proc interface {{core name type ports}} {{
    if {{[ipx::get_bus_interfaces -quiet $name -of_objects $core] eq ""}} {{
        ipx::infer_bus_interface $ports xilinx.com:$type:1.0 $core
    }}
    return [ipx::get_bus_interfaces $name -of_objects $core]
}}

proc parameter {{interface name value}} {{
    set_property value $value [ipx::add_bus_parameter $name $interface]
}}

set registers [interface $core s_axil interface:aximm_rtl {{
    {registers}
}}]
set memory [interface $core m_axi interface:aximm_rtl {{
    {memory}
}}]
interface $core aclk signal:clock_rtl aclk
parameter [interface $core aresetn signal:reset_rtl aresetn] POLARITY ACTIVE_LOW
parameter [interface $core irq signal:interrupt_rtl irq] SENSITIVITY LEVEL_HIGH
parameter $memory SUPPORTS_NARROW_BURST 0
parameter $memory MAX_BURST_LENGTH {max_burst}
ipx::associate_bus_interfaces -busif s_axil -clock aclk $core
ipx::associate_bus_interfaces -busif m_axi -clock aclk $core
ipx::associate_bus_interfaces -clock aclk -reset aresetn $core

# Address map: the registers, and what the master reaches.
foreach map [ipx::get_memory_maps -quiet -of_objects $core] {{ ipx::remove_memory_map [get_property name $map] $core }}
set map [ipx::add_memory_map s_axil $core]
set_property slave_memory_map_ref s_axil $registers
set block [ipx::add_address_block registers $map]
set_property range {register_bytes} $block
set_property width 32 $block
set_property usage register $block
foreach space [ipx::get_address_spaces -quiet -of_objects $core] {{
    ipx::remove_address_space [get_property name $space] $core
}}
set space [ipx::add_address_space m_axi $core]
set_property range {memory_bytes} $space
set_property width {bus_width} $space
set_property master_address_space_ref m_axi $memory

ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
"""


def package_ip(label, params, ports):
    """Text of the script; ``ports`` of hdp_top as :func:`hdp_hw.rtl.verilog.ports_of`."""

    def of(prefix):
        return "\n    ".join(name for name, _, _ in ports if name.startswith(prefix))

    return SCRIPT.format(
        label=label,
        version=".".join(hdp_hw.__version__.split(".")[:2]),
        registers=of("s_axil_"),
        memory=of("m_axi_"),
        max_burst=MAX_BURST_BEATS,
        register_bytes=1 << ADDRESS_WIDTH,
        memory_bytes=1 << params.address_width,
        bus_width=params.bus_width,
    )
