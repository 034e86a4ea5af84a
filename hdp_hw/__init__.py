"""HDP-HW: a hardware generator for transformer attention with Hybrid Dynamic Pruning."""

__version__ = "0.1.0"
