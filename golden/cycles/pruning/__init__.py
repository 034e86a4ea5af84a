"""The predictor's schedule."""
