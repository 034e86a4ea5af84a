"""Benches of hdp_hw/rtl/common."""
