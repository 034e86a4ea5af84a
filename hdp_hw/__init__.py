"""HDP-HW: a hardware generator for transformer attention with Hybrid Dynamic Pruning."""

__version__ = "0.2.0"
