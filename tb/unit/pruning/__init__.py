"""Benches of hdp_hw/rtl/pruning."""
