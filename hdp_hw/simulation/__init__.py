"""The hardware under Verilator and Icarus: harnesses, a simulated bus, checks, and faults done to it."""

from hdp_hw.simulation.simulated_bus import MemoryTiming, SimulatedBus
from hdp_hw.simulation.simulation import Simulation

__all__ = ["MemoryTiming", "SimulatedBus", "Simulation"]
