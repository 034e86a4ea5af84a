"""ReadArbiter between readers and a memory of the bench's own."""

from collections import deque

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.rtl.shell.read_arbiter import EPOCH_WIDTH, MAX_OUTSTANDING, ReadArbiter
from hdp_hw.spec.depths import MAX_BURST_BEATS
from hdp_hw.spec.params import HdpParams, ParameterError
from tb.lib.axi_memory import ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.lockstep import read, start
from tb.unit.shell.read_path_bench import (
    PARAMS,
    TIMINGS,
    bench_rng,
    on_widths,
    params_of,
    random_memory,
    run,
)

N_READERS = 5
BYTES = PARAMS.bus_bytes
PAGES = 4
INDEX_WIDTH = PARAMS.axi_id_width - EPOCH_WIDTH


def identity(epoch, reader):
    return epoch << INDEX_WIDTH | reader


def random_burst(rng):
    """``(addr, len)`` of a legal burst."""
    beats = rng.choice([1, MAX_BURST_BEATS, rng.randint(1, MAX_BURST_BEATS)])
    offset = rng.randrange(PAGE_BYTES // BYTES - beats + 1)
    return rng.randrange(PAGES) * PAGE_BYTES + offset * BYTES, beats - 1


class Reader:
    """One reader: bursts it has to read, beats it waits for."""

    def __init__(self, dut, index):
        def port(name):
            return getattr(dut, f"i_{index}_{name}")

        self.valid, self.ready, self.r_valid, self.r_ready = map(port, ("ar_valid", "ar_ready", "r_valid", "r_ready"))
        self.fields = {name: port(f"ar_{name}") for name in ("id", "addr", "len")}
        self.response = [port(f"r_{name}") for name in ("id", "data", "resp", "last")]
        self.reset()

    def reset(self):
        self.to_read, self.offer, self.expected, self.held = deque(), None, deque(), None
        self.takes = False


class Bench:
    """Readers, the arbiter and a memory.

    ``grants`` lists (cycle, ID, address, beats), ``delivered`` the cycles of beats; ``outstanding`` is what
    o_outstanding has to be in this clock cycle and the next.
    """

    def __init__(self, dut, timing, rng, idle=0.0, busy=0.0):
        self.dut, self.rng, self.idle, self.busy = dut, rng, idle, busy
        self.memory = random_memory(rng, PAGES * PAGE_BYTES)
        places = range(0, PAGES * PAGE_BYTES, BYTES)
        self.memory.faults = {place: rng.choice(list(Response)) for place in rng.sample(places, len(places) // 8)}
        self.model, self.checker = ReadModel(self.memory, BYTES, timing, rng), ReadChecker(BYTES)
        self.readers = [Reader(dut, k) for k in range(N_READERS)]
        self.grants, self.delivered, self.cycle = [], [], 0
        self.epoch, self.stop, self.outstanding = 0, False, [0, 0]
        self.epoch_ends, self.epoch_begins = False, False  # the clock cycle in which it changes; before its first grant

    async def start(self):
        await start(self.dut)
        cocotb.start_soon(serve_reads(self.dut, self.model, self.checker))
        self._drive()

    def _drive(self):
        rng = self.rng
        self.dut.i_stop.value = int(self.stop)
        self.dut.i_epoch.value = self.epoch
        for reader in self.readers:
            if reader.offer is None and reader.to_read and rng.random() >= self.idle:
                reader.offer = reader.to_read.popleft()
            values = reader.offer or (rng.getrandbits(32), rng.getrandbits(8))
            reader.valid.value = int(reader.offer is not None)
            for name, value in zip(("addr", "len", "id"), (*values, rng.getrandbits(PARAMS.axi_id_width))):
                reader.fields[name].value = value
            reader.takes = rng.random() >= self.busy
            reader.r_ready.value = int(reader.takes)

    async def step(self, n=1):
        """``n`` clock cycles, with all that comes out checked."""
        for _ in range(n):
            await RisingEdge(self.dut.aclk)
            self._check()
            if self.epoch_ends:
                self.epoch_ends = False
                for reader in self.readers:
                    reader.reset()
            self._drive()
            self.cycle += 1

    def _check(self):
        dut = self.dut
        outstanding = self.outstanding.pop(0)
        assert read(dut.o_outstanding, "o_outstanding") == outstanding
        idle = outstanding == 0 and not read(dut.memory_ar_valid, "memory_ar_valid")
        assert read(dut.o_idle, "o_idle") == idle
        granted = [k for k, reader in enumerate(self.readers) if reader.offer and read(reader.ready, "ar_ready")]
        assert len(granted) <= int(not self.stop and not self.epoch_ends), f"{granted} granted at once, or against stop"
        if granted and self.epoch_begins:
            assert not self.waits_for(self.epoch), "the epoch's name is still in use"
            self.epoch_begins = False
        for k in granted:
            reader = self.readers[k]
            address, length = reader.offer
            self.grants.append((self.cycle, identity(self.epoch, k), address, length + 1))
            for beat in range(length + 1):
                place = address + beat * BYTES
                data = int.from_bytes(self.memory.peek(place, BYTES), "little")
                reader.expected.append((0, data, int(self.memory.response(place, BYTES)), int(beat == length)))
            reader.offer = None
        for k, reader in enumerate(self.readers):
            if not read(reader.r_valid, "r_valid"):
                assert reader.held is None, f"a response to reader {k} was withdrawn"
                continue
            beat = tuple(read(signal, "r") for signal in reader.response)
            assert reader.expected and beat == reader.expected[0], f"reader {k} got {beat}, not {reader.expected}"
            reader.held = None if reader.takes else beat
            if reader.takes:
                reader.expected.popleft()
                self.delivered.append(self.cycle)
        ends = False
        if read(dut.memory_r_valid, "r_valid") and read(dut.memory_r_ready, "r_ready") and dut.memory_r_last.value == 1:
            ends = int(dut.memory_r_id.value) >> INDEX_WIDTH == self.epoch and not self.epoch_begins
        self.outstanding.append(self.outstanding[-1] + len(granted) - ends)
        if self.epoch_ends:
            self.outstanding = [0, 0]

    def halt(self, stop):
        """Set i_stop, from the clock cycle on that begins."""
        self.stop = stop
        self.dut.i_stop.value = int(stop)

    def new_epoch(self):
        """In the clock cycle that begins, the epoch changes and the readers are in reset."""
        self.epoch = (self.epoch + 1) % (1 << EPOCH_WIDTH)
        self.epoch_ends = self.epoch_begins = True
        self.dut.i_epoch.value = self.epoch

    def waits_for(self, epoch):
        """Whether bursts of an epoch are on offer to the memory or in it."""
        on_offer = [grant[1] for grant in self.grants[len(self.model.bursts) :]]
        return epoch in [burst >> INDEX_WIDTH for burst in (*on_offer, *self.model.pending_ids)]

    @property
    def busy_readers(self):
        return any(reader.to_read or reader.offer or reader.expected for reader in self.readers)

    async def finish(self, timeout=20_000):
        """Until all has been read; what the memory saw must be what was granted, in that order."""
        for _ in range(timeout):
            if not self.busy_readers and not self.checker.pending and self.checker.n_bursts == len(self.grants):
                break
            await self.step()
        assert not self.busy_readers, f"not finished after {timeout} clock cycles"
        await self.step(20)
        assert self.outstanding == [0, 0] and self.checker.pending == 0
        assert [(b.id, b.address, b.beats) for b in self.model.bursts] == [grant[1:] for grant in self.grants]


@cocotb.test()
@cocotb.parametrize(timing=list(TIMINGS), stalls=[0.0, 0.4])
async def random_traffic(dut, timing, stalls):
    """With stalls, i_stop comes and goes, too."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS[timing], rng, stalls, stalls)
    await bench.start()
    for reader in bench.readers:
        reader.to_read.extend(random_burst(rng) for _ in range(25))
    for _ in range(40 if stalls else 0):
        await bench.step(rng.randint(1, 30))
        bench.halt(rng.random() < 0.5)
    bench.halt(False)
    await bench.finish()
    assert len(bench.grants) == 25 * N_READERS
    assert len(bench.delivered) == sum(beats for *_, beats in bench.grants) == bench.checker.n_beats


@cocotb.test()
async def one_burst_a_cycle(dut):
    """A reader alone is served in every clock cycle; several are served in turn, a burst each."""
    rng = bench_rng()
    bench = Bench(dut, ReadTiming(latency=1), rng)
    await bench.start()
    for asking in ([2], [1, 3], list(range(N_READERS)), [N_READERS - 1, 0]):
        bench.grants.clear()
        bench.model.bursts.clear()
        bench.checker.n_bursts = 0
        for k in asking:
            bench.readers[k].to_read.extend((BYTES * rng.randrange(100), 0) for _ in range(20))
        await bench.finish()
        cycles = [cycle for cycle, *_ in bench.grants]
        assert cycles == list(range(cycles[0], cycles[0] + 20 * len(asking)))
        readers = [grant[1] for grant in bench.grants]
        assert sorted(readers[: len(asking)]) == sorted(asking)
        assert readers == readers[: len(asking)] * 20


@cocotb.test()
async def latencies(dut):
    """A burst that comes alone reaches the memory, and its response the reader, as the docstring says."""
    bench = Bench(dut, ReadTiming(latency=7), bench_rng())
    await bench.start()
    for reader in bench.readers:
        await bench.step(10)
        reader.to_read.append((64, 0))
        await bench.step()  # and it is on offer in the clock cycle that begins
        offered = bench.cycle
        await bench.step(20)
        assert bench.model.bursts[-1].cycle == offered + ReadArbiter.latency
        assert bench.delivered[-1] == offered + ReadArbiter.latency + 7 + ReadArbiter.response_latency
    assert len(bench.delivered) == N_READERS


@cocotb.test()
@cocotb.parametrize(timing=["slow", "mixing"])
async def epochs(dut, timing):
    """Readers are reset at any moment; what comes for them afterwards is dropped."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS[timing], rng, 0.2, 0.2)
    await bench.start()
    dropped = in_use = 0
    for _ in range(60):
        for reader in bench.readers:
            reader.to_read.extend(random_burst(rng) for _ in range(rng.choice([0, 2, 10])))
        await bench.step(rng.choice([1, 5, rng.randint(1, 100), rng.randint(1, 300)]))
        bench.new_epoch()
        in_use += bench.waits_for(bench.epoch)
        dropped += bench.checker.pending
        await bench.step()
    await bench.finish()
    assert dropped > 20 and in_use > 5, f"hardly tested: {dropped} dropped, {in_use} names in use"


@cocotb.test()
async def outstanding_bursts_are_limited(dut):
    """A memory that does not answer gets MAX_OUTSTANDING bursts of a reader, and the others go on."""
    rng = bench_rng()
    bench = Bench(dut, ReadTiming(latency=3 * MAX_OUTSTANDING), rng)
    await bench.start()
    bench.readers[0].to_read.extend((0, 0) for _ in range(2 * MAX_OUTSTANDING))
    await bench.step(MAX_OUTSTANDING + 50)
    assert bench.outstanding == [MAX_OUTSTANDING] * 2
    bench.readers[1].to_read.extend((0, 0) for _ in range(10))
    await bench.step(20)
    assert bench.outstanding == [MAX_OUTSTANDING + 10] * 2
    await bench.finish()


@cocotb.test()
async def stray_responses(dut):
    """Nobody gets a response of another epoch, of no reader, or one that nothing was asked for; all are taken."""
    await start(dut)
    rng = bench_rng()
    readers = [Reader(dut, k) for k in range(N_READERS)]
    for reader in readers:
        reader.r_ready.value = 1
    dut.i_epoch.value = 2
    dut.memory_ar_ready.value = 1
    await RisingEdge(dut.aclk)

    async def send(sent, last):
        """The readers that get a beat with this ID."""
        dut.memory_r_valid.value, dut.memory_r_id.value, dut.memory_r_last.value = 1, sent, last
        await RisingEdge(dut.aclk)
        assert dut.memory_r_ready.value == 1
        dut.memory_r_valid.value, dut.memory_r_id.value = 0, rng.getrandbits(PARAMS.axi_id_width)
        await RisingEdge(dut.aclk)
        return [k for k, reader in enumerate(readers) if read(reader.r_valid, "r_valid")]

    everyone = list(range(1 << PARAMS.axi_id_width))
    for sent in rng.sample(everyone, len(everyone)):
        assert await send(sent, rng.randrange(2)) == [], "nothing was asked for"
    for k, reader in enumerate(readers):
        reader.valid.value = 1
        while True:
            await RisingEdge(dut.aclk)
            if reader.ready.value == 1:
                break
        reader.valid.value = 0
        for _ in range(4):
            await RisingEdge(dut.aclk)
        for sent in rng.sample(everyone, len(everyone)):
            assert await send(sent, 0) == ([k] if sent == identity(2, k) else [])
        assert dut.o_outstanding.value == 1
        assert await send(identity(2, k), 1) == [k]
        assert await send(identity(2, k), 1) == []
        assert dut.o_outstanding.value == 0


@on_widths((64, 64))
def test_read_arbiter(simulator, widths):
    run(ReadArbiter(params_of(*widths), N_READERS), __name__, simulator, widths)


@pytest.mark.parametrize("n", [0, 9])
def test_too_many_readers(n):
    with pytest.raises(ParameterError, match=f"parameter n = {n} is not legal; legal: 1 to 8"):
        ReadArbiter(HdpParams(n_cores=2), n)
