"""What may go wrong with a simulation or a co-processor, and what helps."""

from hdp_hw.spec.failure import Failure
from hdp_hw.spec.register_map import BY_NAME

#: ``{bit of IRQ_STATUS that says that something failed: what helps}``.
CURES = {
    "bad_settings": "the driver checks settings before it starts a job, so find out what else writes the job registers "
    "or the buffer with the table; ranges are in docs/registers.md",
    "misaligned": "place the buffer at a multiple of the bus word, below 2^ADDRESS_WIDTH",
    "read_error": "let the interconnect map the buffer's physical address for the co-processor's reads",
    "write_error": "let the interconnect map the buffer's physical address for the co-processor's writes",
    "timeout": "give the layer more timeout_cycles; if it never ends, the memory has stopped answering",
    "queue_full": "let one driver alone start jobs, and no more than STATUS.queue_free of them",
    "aborted": "run the layer again; something wrote CONTROL.abort",
    "counter_overflow": "run the layer again; the driver clears the counters",
    "core_error": "run the layer again, and report it as a fault of the hardware if it comes back",
}


class DriverError(Failure, RuntimeError):
    """Base of errors of simulations and co-processors."""


class SimulatorMissing(DriverError):
    """A program that a simulation needs is not installed; the message says which and what installs it."""


class BuildError(DriverError):
    """Verilator or the C++ compiler failed; the message ends with what they said."""


class SimulationError(DriverError):
    """A simulation that did not end as it should; the message says what was missing, or left over."""


class Mismatch(DriverError):
    """The core and its golden models disagree; the message says in what."""


class HdpError(DriverError):
    """Base of the errors below."""


class JobError(HdpError):
    """A job failed: the co-processor set a sticky bit of IRQ_STATUS.

    bit : its name, the first of ``bits``; cure : what helps; job, head : where it happened, None where that is unknown.
    """

    def __init__(self, *bits: str, job: int | None = None, head: int | None = None) -> None:
        self.bits, self.bit, self.cure, self.job, self.head = bits, bits[0], CURES[bits[0]], job, head
        (meaning,) = (field.desc for field in BY_NAME["IRQ_STATUS"].fields if field.name == self.bit)
        place = "" if job is None else f" in job {job}, head {head}"
        others = f" (also set: {', '.join(bits[1:])})" if bits[1:] else ""
        super().__init__(f"IRQ_STATUS.{self.bit}{place}{others}: {meaning} Cure: {self.cure}.")


class NoAnswer(HdpError):
    """The co-processor did not do in time what it was asked to do."""


class BusError(HdpError):
    """There is no register or memory at an address, or it refuses the access."""


class UnsupportedCore(HdpError):
    """What answers is no co-processor that this driver supports."""


class DriftError(HdpError):
    """A layer's statistics have left the bounds found at calibration."""
