"""The tile array's arithmetic."""
