"""WriteArbiter between requesters of the bench's own and a memory."""

import os
import random
from collections import Counter, deque
from dataclasses import dataclass, field

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.rtl.shell.write_arbiter import N_EPOCHS, WriteArbiter
from hdp_hw.spec.depths import ARBITER_WORDS, MAX_BURST_BEATS, MAX_OUTSTANDING_WRITES
from hdp_hw.spec.params import HdpParams, ParameterError
from tb.lib.axi_memory import Memory
from tb.lib.axi_write_memory import IDEAL, SILENT, WriteChecker, WriteModel, WriteTiming, serve_writes
from tb.lib.lockstep import read, start
from tb.lib.simulation import SIMULATORS, simulate

SHAPES = [(64, 3), (32, 1), pytest.param((128, 8), marks=pytest.mark.slow)]  #: (bus_width, requesters)
TIMINGS = {
    "ideal": IDEAL,
    "slow": WriteTiming(latency=100),
    "erratic": WriteTiming(latency=(1, 60), aw_stall=0.4, w_stall=0.3, b_stall=0.3, block=100, reorder=True),
    "requests late": WriteTiming(latency=(1, 20), aw_stall=0.9, reorder=True),
    "words late": WriteTiming(latency=(1, 20), w_stall=0.7, reorder=True),
}
PAGES = 4


def params_of(bus_width):
    return HdpParams(bus_width=bus_width, n_cores=2)


BUS_WIDTH, N = map(int, os.environ.get("HDP_SHAPE", "64,3").split(","))
PARAMS = params_of(BUS_WIDTH)
BYTES, INDEX_WIDTH = PARAMS.bus_bytes, PARAMS.axi_id_width - 2


@dataclass(eq=False)
class Burst:
    """A burst and what became of it."""

    address: int
    words: list  #: of (data, strb)
    id: int | None = None
    given: int = 0  #: words that were taken of its requester
    lost: bool = False
    offered: int | None = None
    taken: int | None = None
    word_cycles: list = field(default_factory=list)
    passed: int = 0  #: requests of others that were taken while this one waited


def random_burst(rng, n_words=None):
    n_words = n_words or rng.choice([1, 2, MAX_BURST_BEATS, rng.randint(1, MAX_BURST_BEATS)])
    offset = rng.randrange(PAGE_BYTES // BYTES - n_words + 1)
    words = [
        (rng.getrandbits(BUS_WIDTH), rng.choice([(1 << BYTES) - 1, rng.getrandbits(BYTES)])) for _ in range(n_words)
    ]
    return Burst(rng.randrange(PAGES) * PAGE_BYTES + offset * BYTES, words)


class Requester:
    """Offers the request and all words of a burst from a clock cycle on, ahead of or behind one another."""

    def __init__(self, dut, index):
        def port(name):
            return getattr(dut, f"i_{index}_{name}")

        self.ports = {
            channel: {name: port(f"{channel}_{name}") for name in names} for channel, names in CHANNELS.items()
        }
        self.to_do = deque()
        self.reset()

    def reset(self):
        self.requests, self.words, self.expected, self.held = deque(), deque(), deque(), None
        self.takes = False


CHANNELS = {
    "aw": ("valid", "ready", "id", "addr", "len"),
    "w": ("valid", "ready", "data", "strb", "last"),
    "b": ("valid", "ready", "id", "resp"),
}


class Bench:
    """Requesters, the arbiter, a memory, and what the arbiter should do, clock cycle by clock cycle."""

    def __init__(self, dut, timing, rng, idle=0.0, busy=0.0):
        self.dut, self.rng, self.idle, self.busy = dut, rng, idle, busy
        self.memory = Memory(PAGES * PAGE_BYTES)
        places = range(0, PAGES * PAGE_BYTES, BYTES)
        self.memory.faults = {place: rng.choice(list(Response)) for place in rng.sample(places, len(places) // 16)}
        self.model, self.checker = WriteModel(self.memory, BYTES, timing, rng), WriteChecker(BYTES)
        self.requesters = [Requester(dut, k) for k in range(N)]
        self.taken, self.open = (
            [],
            deque(),
        )  # bursts in the order of their requests; those whose words are not all given
        self.stop, self.epoch, self.epoch_ends, self.cycle = False, 0, False, 0
        self.number, self.searching, self.due = 0, False, [0] * N_EPOCHS
        self.response = self.passing = None
        self.n_skipped = 0

    async def start(self):
        await start(self.dut)
        cocotb.start_soon(serve_writes(self.dut, self.model, self.checker))

    async def step(self, n=1):
        for _ in range(n):
            self._drive()
            await RisingEdge(self.dut.aclk)
            self._check()
            self.cycle += 1

    async def finish(self, timeout=20_000):
        """Until all that was to do is done."""
        while any(k.to_do or k.requests for k in self.requesters) or sum(self.due) or self.open:
            await self.step()
            timeout -= 1
            assert timeout, f"{sum(self.due)} responses are due"
        await self.step(20)
        self.verify()

    def verify(self):
        """What went over the bus is what was taken; words that were lost write nothing."""
        assert read(self.dut.o_idle, "o_idle") and self.checker.pending == 0
        seen = [(burst.id, burst.address, len(burst.words)) for burst in self.model.bursts]
        assert seen == [(burst.id, burst.address, len(burst.words)) for burst in self.taken]
        for burst, sent in zip(self.taken, self.model.bursts):
            assert burst.lost or burst.given == len(burst.words)
            assert sent.words[: burst.given] == burst.words[: burst.given]
            assert all(strobes == 0 for _, strobes in sent.words[burst.given :])

    # -- a clock cycle --------------------------------------------------------------------------------------------
    def _drive(self):
        rng = self.rng
        self.dut.i_stop.value, self.dut.i_epoch.value = int(self.stop), self.epoch
        for requester in self.requesters:
            if requester.to_do and not self.epoch_ends and rng.random() >= self.idle:
                burst = requester.to_do.popleft()
                burst.offered = self.cycle
                requester.requests.append(burst)
                last = len(burst.words) - 1
                requester.words += [(*word, int(k == last)) for k, word in enumerate(burst.words)]
            request = requester.requests[0] if requester.requests else None
            request = (0, request.address, len(request.words) - 1) if request else None
            for channel, offer in (("aw", request), ("w", requester.words[0] if requester.words else None)):
                valid, _, *fields = requester.ports[channel].values()
                valid.value = int(offer is not None)
                for index, signal in enumerate(fields):
                    signal.value = offer[index] if offer else rng.getrandbits(len(signal))
            requester.ports["aw"]["id"].value = rng.getrandbits(PARAMS.axi_id_width)
            requester.takes = rng.random() >= self.busy
            requester.ports["b"]["ready"].value = int(requester.takes)

    def _check(self):
        dut, epoch_ends, number = self.dut, self.epoch_ends, self.number
        due_of_epoch = 0 if self.searching else self.due[number]
        assert read(dut.o_outstanding, "o_outstanding") == due_of_epoch
        assert read(dut.o_idle, "o_idle") == (sum(self.due) == 0)
        may_take = not (self.stop or epoch_ends or self.searching)
        ended = self._responses()
        self._words()
        self._requests(may_take)
        if ended is not None:
            self.due[ended] -= 1
        if epoch_ends:
            self.number, self.searching, self.epoch_ends = self.epoch, True, False
            for burst in self.open:
                burst.lost = True
            self.open.clear()
            for requester in self.requesters:
                requester.reset()
        elif self.searching:
            self.searching = self.due_before[number] != 0
            self.number = (number + self.searching) % N_EPOCHS
            self.n_skipped += self.searching

    def _requests(self, may_take):
        """At most one request is taken."""
        self.due_before = list(self.due)
        for index, requester in enumerate(self.requesters):
            if not read(requester.ports["aw"]["ready"], "aw_ready"):
                continue
            assert may_take, f"{index} was ready for a request while none may be taken"
            if requester.requests:
                burst = requester.requests.popleft()
                burst.taken, burst.id = self.cycle, self.number << INDEX_WIDTH | index
                self.taken.append(burst)
                self.open.append(burst)
                requester.expected.append(burst)
                self.due[self.number] += 1
                may_take = False
                for other in self.requesters:
                    if other is not requester and other.requests and other.requests[0].offered < self.cycle:
                        other.requests[0].passed += 1
                assert burst.passed <= N, f"{burst.passed} requests were taken before one of {index}"

    def _words(self):
        """A word is taken of the oldest burst that was not complete when the clock cycle began, if of any."""
        given = [
            (requester, requester.words[0])
            for requester in self.requesters
            if read(requester.ports["w"]["ready"], "w_ready") and requester.words
        ]
        assert len(given) <= 1
        for requester, word in given:
            requester.words.popleft()
            burst = self.open[0]
            assert burst.id % (1 << INDEX_WIDTH) == self.requesters.index(requester)
            assert word[:2] == burst.words[burst.given]
            burst.given += 1
            burst.word_cycles.append(self.cycle)
            if burst.given == len(burst.words):
                self.open.popleft()

    def _responses(self):
        """Passes responses on; returns the epoch of one that leaves, if it was due."""
        dut, number, ended = self.dut, self.number, None
        passing, self.passing = self.passing, None
        requester = passing[0] if passing else None
        for other in self.requesters:
            assert read(other.ports["b"]["valid"], "b_valid") == (other is requester)
        if requester:
            ports = requester.ports["b"]
            assert (read(ports["id"], "b_id"), read(ports["resp"], "b_resp")) == (0, passing[2])
        if passing and requester and not requester.takes:
            self.passing = (None if self.epoch_ends else requester, *passing[1:])
        elif passing:
            ended = passing[1]
            if requester:
                assert requester.expected.popleft().id == passing[3]
        held = self.response
        assert read(dut.o_b_ready, "o_b_ready") == (held is None)
        if held is None and dut.o_b_valid.value == 1:
            self.response = int(dut.o_b_id.value), int(dut.o_b_resp.value)
        elif held and not passing:
            identity, resp = held
            of_epoch, index = identity >> INDEX_WIDTH, identity % (1 << INDEX_WIDTH)
            is_due = self.due[of_epoch] > 0
            wanted = is_due and of_epoch == number and index < N and not self.searching and not self.epoch_ends
            self.passing = (self.requesters[index] if wanted else None, of_epoch if is_due else None, resp, identity)
            self.response = None
        return ended

    def new_epoch(self):
        """In the clock cycle that begins, the epoch changes and the requesters are in reset."""
        self.epoch, self.epoch_ends = (self.epoch + 1) % N_EPOCHS, True


def bench_rng():
    return random.Random(cocotb.RANDOM_SEED)


@cocotb.test()
@cocotb.parametrize(timing=list(TIMINGS), stalls=[0.0, 0.5])
async def traffic(dut, timing, stalls):
    """All bursts arrive, all responses come back."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS[timing], rng, stalls, stalls)
    await bench.start()
    for requester in bench.requesters:
        requester.to_do.extend(random_burst(rng) for _ in range(100 // N))
    await bench.finish()
    assert len(bench.taken) == 100 // N * N and not any(requester.expected for requester in bench.requesters)


@cocotb.test()
@cocotb.parametrize(n_words=[1, 2, 3, MAX_BURST_BEATS], n_busy=sorted({1, N}))
async def rate(dut, n_words, n_busy):
    """No clock cycle is lost, each requester has its turn, and all is as early as the docstring says."""
    rng = bench_rng()
    bench = Bench(dut, IDEAL, rng)
    await bench.start()
    for requester in bench.requesters[:n_busy]:
        requester.to_do.extend(random_burst(rng, n_words) for _ in range(24 // n_busy))
    await bench.finish()
    assert [burst.id for burst in bench.taken] == list(range(n_busy)) * (24 // n_busy)
    first, length = bench.taken[0].taken, max(2, n_words)
    assert first == bench.taken[0].offered + 1
    for index, (burst, sent) in enumerate(zip(bench.taken, bench.model.bursts)):
        start = first + 2 + index * length
        assert burst.word_cycles == list(range(start, start + n_words))
        assert sent.word_cycles == [cycle + WriteArbiter.latency for cycle in burst.word_cycles]
        assert sent.requested == burst.taken + WriteArbiter.latency


@cocotb.test()
async def no_more_than_can_be_held(dut):
    """A silent memory: as many words are taken as there is room for; when it wakes up they all arrive."""
    rng = bench_rng()
    bench = Bench(dut, SILENT, rng)
    await bench.start()
    for requester in bench.requesters:
        requester.to_do.extend(random_burst(rng, MAX_BURST_BEATS) for _ in range(10))
    await bench.step(20 * MAX_BURST_BEATS)
    assert len(bench.taken) == ARBITER_WORDS // MAX_BURST_BEATS and not bench.open
    bench.new_epoch()
    await bench.step(30)
    for requester in bench.requesters:
        requester.to_do.append(random_burst(rng))
    await bench.step(100)
    bench.model.timing = TIMINGS["erratic"]
    await bench.finish()


@cocotb.test()
async def no_more_than_can_be_counted(dut):
    rng = bench_rng()
    bench = Bench(dut, WriteTiming(latency=400), rng)
    await bench.start()
    bench.requesters[0].to_do.extend(random_burst(rng, 1) for _ in range(2 * MAX_OUTSTANDING_WRITES))
    await bench.step(300)
    assert len(bench.taken) == MAX_OUTSTANDING_WRITES
    await bench.finish()


@cocotb.test()
async def stop(dut):
    """Nothing is taken while told to stop; what was taken goes on."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["erratic"], rng, 0.2, 0.2)
    await bench.start()
    for requester in bench.requesters:
        requester.to_do.extend(random_burst(rng) for _ in range(100 // N))
    while any(requester.to_do for requester in bench.requesters):
        await bench.step(rng.randint(1, 40))
        bench.stop = not bench.stop
    bench.stop = False
    await bench.finish()


@cocotb.test()
@cocotb.parametrize(timing=["ideal", "slow", "erratic", "words late"])
async def epochs(dut, timing):
    """Requesters are reset at any moment; what was taken arrives, as far as it was given, and nobody is confused."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS[timing], rng, 0.3, 0.2)
    await bench.start()
    for _ in range(150):
        for requester in bench.requesters:
            requester.to_do.extend(random_burst(rng) for _ in range(rng.randint(0, 4)))
        await bench.step(rng.randint(1, 60))
        if rng.random() < 0.3:
            bench.stop = True
            await bench.step(rng.randint(1, 40))
            bench.stop = False
        bench.new_epoch()
        for requester in bench.requesters:
            requester.to_do.clear()
        await bench.step(rng.randint(1, 5))
    await bench.finish()
    seen = Counter(lost=sum(burst.lost for burst in bench.taken), skipped=bench.n_skipped)
    assert seen["lost"] > 5 and (timing == "ideal" or seen["skipped"] > 5), f"hardly tested: {seen}"


@cocotb.test()
async def responses_that_are_not_due(dut):
    """Nobody sees them, and they do no harm."""
    rng = bench_rng()
    bench = Bench(dut, IDEAL, rng)
    await start(dut)
    for _ in range(30):
        dut.o_b_valid.value, dut.o_b_id.value = 1, rng.getrandbits(PARAMS.axi_id_width)
        await bench.step(2)
        dut.o_b_valid.value = 0
        await bench.step(rng.randint(0, 3))
    bench = Bench(dut, TIMINGS["erratic"], rng)
    await bench.start()
    bench.requesters[-1].to_do.extend(random_burst(rng) for _ in range(20))
    await bench.finish()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}-{shape[1]}")
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_write_arbiter(simulator, shape):
    bus_width, n = shape
    environment = {"HDP_SHAPE": f"{bus_width},{n}"}
    name = f"write_arbiter_{bus_width}_{n}"
    simulate(WriteArbiter(params_of(bus_width), n), __name__, simulator, name=name, plusenv=environment)


@pytest.mark.parametrize("n", [0, 9])
def test_refused(n):
    with pytest.raises(ParameterError, match=f"n = {n} is not legal; legal: 1 to 8"):
        WriteArbiter(params_of(64), n)
