"""A system on a chip: a RISC-V processor with the co-processor beside it, its firmware, and its simulation."""
