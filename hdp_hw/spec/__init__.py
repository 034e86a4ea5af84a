"""What all sides agree on: parameters, settings, tables, timing, register map, formats. No HDL, no numpy."""
