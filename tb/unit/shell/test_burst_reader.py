"""BurstReader against golden.cycles.shell.burst_reader."""

import itertools

import cocotb
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.burst_reader import bursts
from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.rtl.shell.burst_reader import BurstReader
from hdp_hw.spec.depths import FIFO_WORDS, MAX_BURST_BEATS
from tb.lib.axi_memory import ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.lockstep import start
from tb.unit.shell.read_path_bench import (
    PARAMS,
    TIMINGS,
    Sink,
    Source,
    Total,
    bench_rng,
    on_widths,
    params_of,
    random_memory,
    run,
)

BYTES = PARAMS.bus_bytes
PAGES, LONGEST = 8, 1024
BASE = (1 << PARAMS.address_width) - PAGES * PAGE_BYTES  # up to the last address


def random_regions(rng, n):
    """``[(address, bus words)]``: short and long, from the first or to the last word of memory and of pages."""
    memory_words, page_words = PAGES * PAGE_BYTES // BYTES, PAGE_BYTES // BYTES
    regions = [(BASE, 1), (BASE + PAGES * PAGE_BYTES - BYTES, 1), (BASE + PAGE_BYTES - BYTES, 2)]
    for _ in range(n):
        n_beats = rng.choice([1, 2, 15, 16, 17, rng.randint(1, 40), rng.randint(1, 300)])
        first = rng.choice([rng.randrange(memory_words), page_words * rng.randint(1, PAGES - 1) - rng.randint(0, 20)])
        regions.append((BASE + min(first, memory_words - n_beats) * BYTES, n_beats))
    return regions


class Bench:
    """The block under test with a memory at its port."""

    def __init__(self, dut, timing, rng, memory, busy=0.0):
        self.dut, self.rng, self.memory = dut, rng, memory
        self.model, self.checker = ReadModel(memory, BYTES, timing, rng), ReadChecker(BYTES)
        self.sink = Sink(dut, "o", ("data",), rng, busy)
        self.errors = Total(dut, "o_error")

    async def read(self, regions, idle=0.0):
        """Read ``regions``; check words and bursts. Returns the Source."""
        await start(self.dut)
        items = [{"address": a + self.rng.randrange(BYTES), "n_beats": n} for a, n in regions]
        source = Source(self.dut, "i", items, self.rng, idle)
        for task in (source, self.sink, self.errors):
            cocotb.start_soon(task.run())
        cocotb.start_soon(serve_reads(self.dut, self.model, self.checker))
        cocotb.start_soon(self.always_ready())
        words = [address + k * BYTES for address, n_beats in regions for k in range(n_beats)]
        await self.sink.collect(len(words), timeout=8 * len(words) + 4000)
        expected = [int.from_bytes(self.memory.peek(word, BYTES), "little") for word in words]
        assert [data for (data,) in self.sink.beats] == expected
        expected = [burst for region in regions for burst in bursts(*region, MAX_BURST_BEATS, PARAMS)]
        assert [(burst.address, burst.beats) for burst in self.model.bursts] == expected
        assert {burst.id for burst in self.model.bursts} == {0}
        assert self.checker.pending == 0 and self.checker.n_beats == len(words)
        assert self.errors.sum == sum(word in self.memory.faults for word in words)
        return source

    async def always_ready(self):
        while True:
            await RisingEdge(self.dut.aclk)
            assert self.dut.memory_r_ready.value == 1


@cocotb.test()
@cocotb.parametrize(timing=["ideal", "slow", "erratic"], stalls=[0.0, 0.4])
async def random_reads(dut, timing, stalls):
    rng = bench_rng()
    bench = Bench(dut, TIMINGS[timing], rng, random_memory(rng, PAGES * PAGE_BYTES, BASE), stalls)
    await bench.read(random_regions(rng, 40), stalls)


@cocotb.test()
async def errors(dut):
    """Words with an error are reported, and delivered as the others are."""
    rng = bench_rng()
    memory = random_memory(rng, PAGES * PAGE_BYTES, BASE)
    places = rng.sample(range(0, PAGES * PAGE_BYTES, BYTES), PAGES * PAGE_BYTES // BYTES // 4)
    bad = (Response.SLVERR, Response.DECERR, Response.EXOKAY)
    memory.faults = {BASE + place: rng.choice(bad) for place in places}
    bench = Bench(dut, TIMINGS["erratic"], rng, memory)
    await bench.read(random_regions(rng, 40))
    assert bench.errors.sum > 100


@cocotb.test()
@cocotb.parametrize(latency=[1, 40, 80], beats=[1, 2, 600])
async def rate(dut, latency, beats):
    """One bus word per clock cycle, region after region, the first one as early as the docstring says."""
    rng = bench_rng()
    bench = Bench(dut, ReadTiming(latency=latency), rng, random_memory(rng, PAGES * PAGE_BYTES, BASE))
    regions = [(BASE + k * MAX_BURST_BEATS * BYTES, beats) for k in range(900 // beats)]
    regions = [(address if address + beats * BYTES <= BASE + PAGES * PAGE_BYTES else BASE, n) for address, n in regions]
    source = await bench.read(regions)
    first = source.taken[0] + 2 + latency + BurstReader.latency
    assert bench.sink.cycles == list(range(first, first + len(bench.sink.beats)))


@cocotb.test()
async def waits_for_room(dut):
    """While nothing is taken, no more is asked for than there is room for, and all that there surely is room for."""
    rng = bench_rng()
    memory = random_memory(rng, PAGES * PAGE_BYTES, BASE)
    bench = Bench(dut, TIMINGS["ideal"], rng, memory, busy=1.0)
    reading = cocotb.start_soon(bench.read([(BASE + 5 * BYTES, 500)]))
    for _ in range(FIFO_WORDS + 100):
        await RisingEdge(dut.aclk)
    asked = list(itertools.accumulate(burst.beats for burst in bench.model.bursts))
    assert FIFO_WORDS - 2 * MAX_BURST_BEATS < asked[-1] <= FIFO_WORDS
    bench.sink.busy = 0.0
    await reading


@on_widths((64, 64), more=[(64, 32), (64, 128)])
def test_burst_reader(simulator, widths):
    run(BurstReader(params_of(*widths), LONGEST), __name__, simulator, widths)
