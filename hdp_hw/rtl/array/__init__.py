"""The T x T x lanes tile array and the buffers that feed it."""
