"""Test benches: cocotb under Icarus and Verilator, and tests that need no simulator."""
