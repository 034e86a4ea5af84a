"""Demonstrations on FPGA boards: the co-processor and a memory, driven by a host over a serial line."""
