"""Benches of hdp_hw/rtl/array."""
