"""The core's schedule."""
