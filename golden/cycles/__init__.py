"""When the hardware computes it, to the clock cycle, a file a block."""
