"""Benches of single blocks."""
