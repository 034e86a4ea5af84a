"""Pieces that every block uses: layouts, adder trees, delays."""
