"""The back end on the simulated co-processor."""

from pathlib import Path
from typing import Any

from hdp_hw.driver.bus_backend import BusBackend
from hdp_hw.driver.checks import params_of
from hdp_hw.simulation.simulated_bus import SimulatedBus
from hdp_hw.spec.params import HdpParams


class Simulation(BusBackend):
    """The co-processor's Verilog, simulated: output, counts and bytes of the hardware, and its clock cycles.

    Parameters
    ----------
    config : str or HdpParams
        A named configuration, or a TOML file, or parameters.
    seconds : float
        How long a job may take to simulate.
    more
        As of :class:`SimulatedBus`.

    Raises
    ------
    SimulatorMissing, BuildError
        See :class:`SimulatedBus`.
    """

    def __init__(self, config: str | Path | HdpParams = "edge", seconds: float = 3600.0, **more: Any) -> None:
        super().__init__(SimulatedBus(params_of(config), **more), seconds)
