"""Benches of hdp_hw/rtl/shell."""
