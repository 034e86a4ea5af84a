"""Benches of hdp_hw/rtl/boards."""
