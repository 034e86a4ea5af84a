"""From parameters to files: Verilog, manifest, packages for SoC tools, synthesis, bitstreams."""
