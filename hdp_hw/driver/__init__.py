"""Runs attention layers on the co-processor, on its emulator, or on simulations; and heads on a simulated core."""

from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.driver.driver import HdpDriver, Statistics
from hdp_hw.driver.emulated_bus import EmulatedBus
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import DriftError, HdpError, JobError, NoAnswer, UnsupportedCore
from hdp_hw.driver.layer import Bounds, LayerSettings, load_layers, save_layers
from hdp_hw.driver.memory_mapped import ArrayMemory, MemoryMapped
from hdp_hw.driver.monitor import DriftWarning, Monitor

__all__ = [
    "ArrayMemory",
    "Bounds",
    "BusBackend",
    "DriftError",
    "DriftWarning",
    "EmulatedBus",
    "Emulator",
    "HdpDriver",
    "HdpError",
    "JobError",
    "LayerSettings",
    "MemoryMapped",
    "Monitor",
    "NoAnswer",
    "Statistics",
    "UnsupportedCore",
    "load_layers",
    "save_layers",
]
