"""The whole core: one head in, its output, mask, verdict and cycles out."""
