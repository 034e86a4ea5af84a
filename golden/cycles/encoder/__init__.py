"""When the blocks beside attention do what golden.bits.encoder says."""
