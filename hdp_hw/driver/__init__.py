"""Runs heads on the core: one compiled simulation of its Verilog, and what that takes."""
