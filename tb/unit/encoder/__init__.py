"""Benches of hdp_hw/rtl/approximation."""
