"""What the hardware computes beside attention: results of linear layers, and normalisation."""
