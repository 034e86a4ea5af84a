"""The hardware, in Amaranth, and its Verilog. Imports the specification only."""
