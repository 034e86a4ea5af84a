"""Encoders of floats to encoders of integers: calibration of scales, and what it costs in accuracy."""
