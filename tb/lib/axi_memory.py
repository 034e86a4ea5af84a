"""A memory behind AXI: its bytes, and the model of its read channels. Plain Python, but for :func:`serve_reads`."""

from collections import deque
from dataclasses import dataclass

from cocotb.triggers import RisingEdge

from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.spec.depths import MAX_BURST_BEATS
from tb.lib.lockstep import read


class Memory:
    """``size`` bytes from the address ``base`` on; outside there is DECERR.

    ``faults`` maps addresses to the Response that an access to the byte there gets; a write that gets one changes
    nothing. ``bytes_read`` and ``bytes_written`` count what was asked for on the bus.
    """

    def __init__(self, size, base=0, faults=None):
        self.data, self.base = bytearray(size), base
        self.faults = dict(faults or {})
        self.bytes_read = self.bytes_written = 0

    def _holds(self, address, n_bytes):
        return self.base <= address <= address + n_bytes <= self.base + len(self.data)

    def peek(self, address, n_bytes):
        """The bytes, with no access counted."""
        assert self._holds(address, n_bytes), f"{n_bytes} bytes at {address:#x}"
        return bytes(self.data[address - self.base : address - self.base + n_bytes])

    def poke(self, address, new):
        """Change bytes, with no access counted."""
        self.peek(address, len(new))
        self.data[address - self.base : address - self.base + len(new)] = new

    def response(self, address, n_bytes):
        """Response to an access."""
        if not self._holds(address, n_bytes):
            return Response.DECERR
        places = range(address, address + n_bytes) if self.faults else ()
        return next((self.faults[place] for place in places if place in self.faults), Response.OKAY)

    def read(self, address, n_bytes):
        """``(bytes, Response)``; where the response is DECERR for want of memory the bytes are zeros."""
        self.bytes_read += n_bytes
        data = self.peek(address, n_bytes) if self._holds(address, n_bytes) else bytes(n_bytes)
        return data, self.response(address, n_bytes)

    def write(self, address, new, enabled):
        """Write the bytes of ``new`` whose ``enabled`` is true; returns the Response."""
        self.bytes_written += sum(map(bool, enabled))
        response = self.response(address, len(new))
        if response == Response.OKAY:
            for place, (byte, enable) in enumerate(zip(new, enabled, strict=True), address - self.base):
                if enable:
                    self.data[place] = byte
        return response


@dataclass(frozen=True)
class ReadTiming:
    """How a memory answers reads.

    ``latency`` clock cycles pass from a burst's acceptance to its first beat, or as many as are drawn for each burst
    between the two numbers of a pair. AR is not ready, and a further beat of R does not come, with the probabilities
    ``ar_stall`` and ``r_stall`` in each clock cycle. ``reorder``: bursts of different IDs are answered in any order;
    ``interleave``: their beats mix, too.
    """

    latency: int | tuple = 1
    ar_stall: float = 0.0
    r_stall: float = 0.0
    reorder: bool = False
    interleave: bool = False


IDEAL = ReadTiming()


@dataclass(frozen=True)
class Burst:
    """A read that was accepted, in clock cycle ``cycle``."""

    cycle: int
    id: int
    address: int
    beats: int


class ReadModel:
    """The memory's side of AR and R, one call of :meth:`step` a clock cycle. ``bursts`` lists what was accepted."""

    def __init__(self, memory, bus_bytes, timing, rng):
        self.memory, self.bus_bytes, self.timing, self.rng = memory, bus_bytes, timing, rng
        self.bursts, self._queue = [], []  # of the latter: [due, burst, beats sent]
        self._sending = None  # entry of the queue that was begun, or whose beat is on offer
        self._offer = None  # beat on offer: (id, data, resp, last)
        self.cycle = 0

    @property
    def pending_ids(self):
        """IDs of the bursts whose last beat was not taken, the oldest first."""
        return [burst.id for _, burst, _ in self._queue]

    def step(self, accepted, taken):
        """End a clock cycle in which the burst ``accepted``, (id, addr, len) or None, came and the beat was ``taken``.

        Returns ``(ar_ready, beat)`` for the next clock cycle, the beat being ``(id, data, resp, last)`` or None.
        """
        timing, rng = self.timing, self.rng
        if taken:
            self._sending[2] += 1
            if self._offer[3]:
                self._queue.remove(self._sending)
            if self._offer[3] or timing.interleave:
                self._sending = None
            self._offer = None
        if accepted:
            burst = Burst(self.cycle, accepted[0], accepted[1], accepted[2] + 1)
            latency = rng.randint(*timing.latency) if isinstance(timing.latency, tuple) else timing.latency
            self.bursts.append(burst)
            self._queue.append([self.cycle + latency, burst, 0])
        self.cycle += 1
        if self._offer is None and rng.random() >= timing.r_stall:
            self._offer = self._next_beat()
        return rng.random() >= timing.ar_stall, self._offer

    def _next_beat(self):
        if self._sending is None:
            heads = {}  # the oldest burst of each ID
            for entry in self._queue:
                heads.setdefault(entry[1].id, entry)
            heads = list(heads.values()) if self.timing.reorder or self.timing.interleave else self._queue[:1]
            due = [entry for entry in heads if entry[0] <= self.cycle]
            if not due:
                return None
            self._sending = self.rng.choice(due)
        _, burst, beat = self._sending
        data, response = self.memory.read(burst.address + beat * self.bus_bytes, self.bus_bytes)
        return burst.id, int.from_bytes(data, "little"), int(response), int(beat == burst.beats - 1)


class ReadChecker:
    """The rules of AR and R, both sides: AssertionError in the clock cycle that breaks one."""

    def __init__(self, bus_bytes, max_beats=MAX_BURST_BEATS, page_bytes=PAGE_BYTES):
        self.bus_bytes, self.max_beats, self.page_bytes = bus_bytes, max_beats, page_bytes
        self._held = {}
        self._due = {}  # beats that are due for each burst of an ID
        self.n_bursts = self.n_beats = 0

    @property
    def pending(self):
        """Bursts that have not been answered in full."""
        return sum(map(len, self._due.values()))

    def cycle(self, ar, ar_ready, r, r_ready):
        """One clock cycle; ``ar`` = (id, addr, len) and ``r`` = (id, data, resp, last), or None while not valid."""
        for name, payload, ready in (("AR", ar, ar_ready), ("R", r, r_ready)):
            if name in self._held:
                assert payload == self._held.pop(name), f"{name} changed while it was stalled"
            if payload and not ready:
                self._held[name] = payload
        if r and r_ready:  # ahead of AR: no burst is answered in the clock cycle in which it is accepted
            due = self._due.get(r[0])
            assert due, f"a response for ID {r[0]}, of which nothing is outstanding"
            due[0] -= 1
            self.n_beats += 1
            assert r[3] == (due[0] == 0), f"last is {r[3]} with {due[0]} beats to come for ID {r[0]}"
            if not due[0]:
                due.popleft()
        if ar and ar_ready:
            identity, address, length = ar
            assert length < self.max_beats, f"a burst of {length + 1} beats"
            assert address % self.bus_bytes == 0, f"a burst at {address:#x}, which is no bus word's address"
            end = address + (length + 1) * self.bus_bytes - 1
            assert address // self.page_bytes == end // self.page_bytes, f"a burst from {address:#x} to {end:#x}"
            self._due.setdefault(identity, deque()).append(length + 1)
            self.n_bursts += 1


def axi_signal(dut, prefix, channel, name):
    """A channel's signal, named as a component's port (``memory_ar_valid``) or as the top's (``m_axi_arvalid``)."""
    separator = "_" if hasattr(dut, f"{prefix}_{channel}_valid") else ""
    return getattr(dut, f"{prefix}_{channel}{separator}{name}")


async def serve_reads(dut, model, checker=None, prefix="memory"):
    """Be the memory of the ports ``<prefix>_ar_*`` and ``<prefix>_r_*`` from the next clock edge on, for ever."""
    requests = {name: axi_signal(dut, prefix, "ar", name) for name in ("id", "addr", "len")}
    responses = [axi_signal(dut, prefix, "r", name) for name in ("id", "data", "resp", "last")]
    ar_valid, ar_ready, r_valid, r_ready = (
        axi_signal(dut, prefix, channel, name) for channel in ("ar", "r") for name in ("valid", "ready")
    )
    ready, offer = False, None
    while True:
        await RisingEdge(dut.aclk)
        ar, taken = None, False
        if read(ar_valid, "ar_valid"):
            ar = tuple(read(signal, name) for name, signal in requests.items())
        if offer:
            taken = bool(read(r_ready, "r_ready"))
        if checker:
            checker.cycle(ar, ready, offer, taken)
        was_ready, before = ready, offer
        ready, offer = model.step(ar if was_ready else None, taken)
        ar_ready.value, r_valid.value = int(ready), int(offer is not None)
        if offer and offer is not before:
            for signal, value in zip(responses, offer):
                signal.value = value
        elif not offer:
            for signal in responses:
                signal.value = model.rng.getrandbits(len(signal))
