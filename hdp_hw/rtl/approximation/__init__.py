"""Softmax in integers: score composition, exponential, reciprocal, requantizer, compensation."""
