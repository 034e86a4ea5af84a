"""hdp-hw energy: an estimate of what pruning saves."""
