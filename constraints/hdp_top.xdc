# Timing of hdp_top on its own, for Vivado: one clock, 10 ns. Paths from and to ports are not timed, and there is nothing
# about pins. package_ip.tcl adds it to the IP, for out-of-context runs; within a design the clock is the design's.
# Checked: its syntax, by tclsh with stubs of the commands. Vivado has not run it.
create_clock -name aclk -period 10 [get_ports aclk]
