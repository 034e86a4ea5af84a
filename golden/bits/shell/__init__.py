"""What the co-processor reads and writes."""
