# Timing of hdp_top on its own, for Quartus: one clock, 10 ns. Paths from and to ports are not timed, and there is
# nothing about pins: declare the ports as virtual pins, for there are more than a package has.
# Checked: nextpnr-ecp5 (--sdc) takes it, tried on a small design. Quartus has not run it.
create_clock -name aclk -period 10 [get_ports aclk]
