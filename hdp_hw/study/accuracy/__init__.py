"""Whole models through the golden model: calibration, and what pruning saves and costs."""
