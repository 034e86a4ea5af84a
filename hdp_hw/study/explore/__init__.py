"""hdp-hw explore: which co-processors are worth building for a device and a workload."""
