"""The core: loading, scheduling, softmax rows, drain."""
