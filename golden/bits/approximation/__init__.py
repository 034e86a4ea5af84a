"""Softmax in integers: exponential, reciprocal, requantizer, compensation."""
