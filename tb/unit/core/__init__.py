"""Benches of hdp_hw/rtl/core."""
