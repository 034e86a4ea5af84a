"""What the hardware computes, bit for bit, a file a block."""
