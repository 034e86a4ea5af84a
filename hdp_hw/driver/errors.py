"""What may go wrong between this process and the core."""

from hdp_hw.failure import Failure


class DriverError(Failure, RuntimeError):
    """Base of the errors below."""


class SimulatorMissing(DriverError):
    """A program that a simulation needs is not installed; the message says which and what installs it."""


class BuildError(DriverError):
    """Verilator or the C++ compiler failed; the message ends with what they said."""


class SimulationError(DriverError):
    """A simulation that did not end as it should; the message says what was missing, or left over."""


class Mismatch(DriverError):
    """The core and its golden models disagree; the message says in what."""
