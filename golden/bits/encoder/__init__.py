"""What computes beside attention: linear layers with their epilogue, residual and normalisation."""
