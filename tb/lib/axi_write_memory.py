"""A memory behind AXI: the model of its write channels. Plain Python, but for :func:`serve_writes`."""

from collections import deque
from dataclasses import dataclass, field

from cocotb.triggers import RisingEdge

from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.spec.depths import MAX_BURST_BEATS
from tb.lib.axi_memory import axi_signal
from tb.lib.lockstep import read


@dataclass(frozen=True)
class WriteTiming:
    """How a memory answers writes.

    ``latency`` clock cycles pass from the acceptance of a burst's request and last word, whichever is later, to its
    response, or between the two numbers of a pair, drawn for each burst. In the others the channels stand still: with
    these probabilities AW and W are not ready and B not valid; ``block``: now and then, W is not for as many clock
    cycles. ``reorder``: bursts of different IDs are answered in any order.
    """

    latency: int | tuple = 1
    aw_stall: float = 0.0
    w_stall: float = 0.0
    b_stall: float = 0.0
    block: int = 0
    reorder: bool = False


IDEAL = WriteTiming()
SILENT = WriteTiming(aw_stall=1.0, w_stall=1.0, b_stall=1.0)


@dataclass
class WriteBurst:
    """A burst as the memory sees it: words are ``(data, strb)``; clock cycles in which its parts were taken."""

    words: list = field(default_factory=list)
    id: int | None = None
    address: int | None = None
    length: int | None = None  #: in words
    response: Response | None = None
    requested: int | None = None
    word_cycles: list = field(default_factory=list)
    responded: int | None = None


class WriteModel:
    """The memory's side of AW, W and B, one call of :meth:`step` a clock cycle.

    ``bursts`` lists all whose request or first word was accepted, in order. Words are written when the burst is
    complete; the response is the first that is not OKAY.
    """

    def __init__(self, memory, bus_bytes, timing, rng):
        self.memory, self.bus_bytes, self.timing, self.rng = memory, bus_bytes, timing, rng
        self.bursts = []
        self._n_requests = self._n_words_ended = 0
        self._due = []  # (cycle, burst) to respond to
        self._offer = None
        self._block = 0
        self.cycle = 0

    @property
    def pending(self):
        """Bursts whose response was not taken."""
        return sum(burst.responded is None for burst in self.bursts)

    def step(self, request, word, taken):
        """End a clock cycle, in which ``request`` = (id, addr, len) and ``word`` = (data, strb, last) were accepted.

        Either may be None. ``taken``: so was the response on offer. Returns ``(aw_ready, w_ready, response)`` for the
        next clock cycle, the response being ``(id, resp)`` or None.
        """
        timing, rng = self.timing, self.rng
        if taken:
            self._offer.responded, self._offer = self.cycle, None
        if request:
            burst = self._burst(self._n_requests)
            burst.id, burst.address, burst.length = request[0], request[1], request[2] + 1
            burst.requested = self.cycle
            self._n_requests += 1
            if self._n_requests <= self._n_words_ended:
                self._complete(burst)
        if word:
            burst = self._burst(self._n_words_ended)
            burst.words.append(word[:2])
            burst.word_cycles.append(self.cycle)
            if word[2]:
                self._n_words_ended += 1
                if self._n_words_ended <= self._n_requests:
                    self._complete(burst)
        self.cycle += 1
        if self._offer is None and rng.random() >= timing.b_stall:
            self._offer = self._next_response()
        self._block = self._block - 1 if self._block else (timing.block if timing.block and rng.random() < 0.01 else 0)
        response = (self._offer.id, int(self._offer.response)) if self._offer else None
        return rng.random() >= timing.aw_stall, not self._block and rng.random() >= timing.w_stall, response

    def _burst(self, index):
        if index == len(self.bursts):
            self.bursts.append(WriteBurst())
        return self.bursts[index]

    def _complete(self, burst):
        responses = []
        for index, (data, strobes) in enumerate(burst.words):
            enabled = [strobes >> place & 1 for place in range(self.bus_bytes)]
            new = data.to_bytes(self.bus_bytes, "little")
            responses.append(self.memory.write(burst.address + index * self.bus_bytes, new, enabled))
        burst.response = next((response for response in responses if response != Response.OKAY), Response.OKAY)
        latency = self.timing.latency
        latency = self.rng.randint(*latency) if isinstance(latency, tuple) else latency
        self._due.append((self.cycle + latency, burst))

    def _next_response(self):
        oldest = {}  # of each ID
        for entry in self._due:
            oldest.setdefault(entry[1].id, entry)
        ready = [entry for entry in oldest.values() if entry[0] <= self.cycle]
        if not self.timing.reorder:
            ready = [entry for entry in ready if entry is self._due[0]]
        if not ready:
            return None
        entry = self.rng.choice(ready)
        self._due.remove(entry)
        return entry[1]


class WriteChecker:
    """The rules of AW, W and B, both sides: AssertionError in the clock cycle that breaks one.

    Stricter than AXI in one: the words of a burst follow one another without a gap.
    """

    def __init__(self, bus_bytes, max_beats=MAX_BURST_BEATS, page_bytes=PAGE_BYTES):
        self.bus_bytes, self.max_beats, self.page_bytes = bus_bytes, max_beats, page_bytes
        self._held = {}
        self._lengths, self._words = deque(), deque([0])  # of bursts of which only the one or the other is known
        self._ids = deque()  # of bursts whose request and last word may not both be there
        self._due = {}  # responses by ID
        self.n_bursts = self.n_responses = 0

    @property
    def pending(self):
        """Requests that have not been answered, and bursts of words without one."""
        return len(self._ids) + sum(self._due.values()) + len(self._words) - 1 + (self._words[-1] > 0)

    def cycle(self, aw, aw_ready, w, w_ready, b, b_ready):
        """One clock cycle; ``aw`` = (id, addr, len), ``w`` = (data, strb, last), ``b`` = (id, resp), or None."""
        for name, payload, ready in (("AW", aw, aw_ready), ("W", w, w_ready), ("B", b, b_ready)):
            if name in self._held:
                assert payload == self._held.pop(name), f"{name} changed while it was stalled"
            if payload and not ready:
                self._held[name] = payload
        assert w or not self._words[-1], "a gap between the words of a burst"
        if b and b_ready:  # first: nothing is answered in the clock cycle in which it is accepted
            assert self._due.get(b[0]), f"a response for ID {b[0]}, of which nothing is complete"
            self._due[b[0]] -= 1
            self.n_responses += 1
        if aw and aw_ready:
            identity, address, length = aw
            assert length < self.max_beats, f"a burst of {length + 1} beats"
            assert address % self.bus_bytes == 0, f"a burst at {address:#x}, which is no bus word's address"
            end = address + (length + 1) * self.bus_bytes - 1
            assert address // self.page_bytes == end // self.page_bytes, f"a burst from {address:#x} to {end:#x}"
            self._lengths.append(length + 1)
            self._ids.append(identity)
            self.n_bursts += 1
        if w and w_ready:
            self._words[-1] += 1
            if w[2]:
                self._words.append(0)
        while self._lengths and len(self._words) > 1:
            words, length = self._words.popleft(), self._lengths.popleft()
            assert words == length, f"last after {words} words of a burst of {length}"
            identity = self._ids.popleft()
            self._due[identity] = self._due.get(identity, 0) + 1
        most = self._lengths[0] - 1 if self._lengths else self.max_beats - 1
        assert self._words[0] <= most or len(self._words) > 1, f"no last with word {self._words[0]} of {most + 1}"


async def serve_writes(dut, model, checker=None, prefix="o"):
    """Be the memory of the ports ``<prefix>_aw_*``, ``_w_*`` and ``_b_*`` from the next clock edge on, for ever."""

    def signals(channel, names):
        return {name: axi_signal(dut, prefix, channel, name) for name in names}

    aw, w = signals("aw", ("valid", "id", "addr", "len")), signals("w", ("valid", "data", "strb", "last"))
    b = signals("b", ("id", "resp"))
    aw_ready, w_ready, b_ready = (axi_signal(dut, prefix, channel, "ready") for channel in ("aw", "w", "b"))
    b_valid = axi_signal(dut, prefix, "b", "valid")
    accepts, offer = (False, False), None
    while True:
        await RisingEdge(dut.aclk)
        offered = []
        for channel, ports in (("aw", aw), ("w", w)):
            valid, *payload = ports.items()
            is_valid = read(valid[1], f"{channel}_valid")
            offered.append(tuple(read(port, f"{channel}_{name}") for name, port in payload) if is_valid else None)
        taken = bool(offer and read(b_ready, "b_ready"))
        if checker:
            checker.cycle(offered[0], accepts[0], offered[1], accepts[1], offer, taken)
        before = offer
        *accepts, offer = model.step(*(each if ready else None for each, ready in zip(offered, accepts)), taken)
        aw_ready.value, w_ready.value, b_valid.value = int(accepts[0]), int(accepts[1]), int(offer is not None)
        if offer is None or taken or before is None:
            for name, port in zip(("id", "resp"), b.values()):
                port.value = offer[name == "resp"] if offer else model.rng.getrandbits(len(port))
