"""Synthesis of a core with the open tools that pip installs; for an ECP5, place and route too."""

from hdp_hw.synth.flow import synthesise
from hdp_hw.synth.netlist import area_by_block, count_cells
from hdp_hw.synth.tools import SynthesisError

__all__ = ["SynthesisError", "area_by_block", "count_cells", "synthesise"]
