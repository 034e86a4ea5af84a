"""Synthesis of a core with the open tools that pip installs; for an ECP5, a Gowin or a Nexus, place and route too."""

from hdp_hw.deliver.synth.devices import DIGIT_PRODUCT
from hdp_hw.deliver.synth.flow import harness, harnessed, synthesise, synthesise_netlist
from hdp_hw.deliver.synth.netlist import area_by_block, block_of, count_cells
from hdp_hw.deliver.synth.tools import SynthesisError

__all__ = [
    "DIGIT_PRODUCT",
    "SynthesisError",
    "area_by_block",
    "block_of",
    "count_cells",
    "harness",
    "harnessed",
    "synthesise",
    "synthesise_netlist",
]
