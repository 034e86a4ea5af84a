"""PlaneReader against golden.cycles.shell.plane_reader and golden.bits.shell.read_traffic."""

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.burst_reader import bursts
from hdp_hw.golden.bits.shell.plane_reader import Segment, regions, row_beats, words
from hdp_hw.golden.bits.shell.read_traffic import bytes_read, bytes_skipped
from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.rtl.shell.plane_reader import PlaneReader
from hdp_hw.spec.depths import FIFO_WORDS, MAX_BURST_BEATS, MAX_SEGMENTS
from tb.lib.axi_memory import ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.lockstep import start
from tb.lib.simulation import SIMULATORS
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
BASE, PAGES = 0x12_3456_7000, 16
TOP = BASE + PAGES * PAGE_BYTES
MAX_WORDS = max(PARAMS.max_value_words, PARAMS.max_row_words)
PER_WORD = max(1, PARAMS.word_width // PARAMS.bus_width)  # bus words


def segment(rng, n_rows, n_words, gap=0, **fields):
    """A segment somewhere in memory, often across the end of a page, ``gap`` bus words between its rows."""
    stride = (row_beats(n_words, PARAMS) + gap) * BYTES
    size = n_rows * stride
    address = rng.choice([rng.randrange(BASE, TOP), BASE + PAGE_BYTES * rng.randint(1, PAGES - 1) - size // 2])
    address = max(BASE, min(address, TOP - size)) // BYTES * BYTES
    return Segment(address, stride, n_rows, n_words, **fields)


def random_segments(rng, n):
    """Segments of all kinds."""
    segments = []
    for _ in range(n):
        n_words = rng.choice([1, MAX_WORDS, rng.randint(1, MAX_WORDS)])
        most = max(2, 60 // (n_words * PER_WORD))
        n_rows = rng.choice([1, 2, rng.randint(1, most)])
        zero, key, last = rng.random() < 0.3, rng.randint(0, 1), rng.random() < 0.3
        gap = rng.choice([0, 0, 1, rng.randint(1, 30)])
        segments.append(segment(rng, n_rows, n_words, gap, zero=int(zero), key=key, last=int(last)))
    return segments


class Bench:
    """The block under test with a memory at its port."""

    def __init__(self, dut, timing, rng, busy=0.0):
        self.dut, self.rng = dut, rng
        self.memory = random_memory(rng, PAGES * PAGE_BYTES, BASE)
        self.model, self.checker = ReadModel(self.memory, BYTES, timing, rng), ReadChecker(BYTES)
        self.sink = Sink(dut, "o", ("data", "key", "last"), rng, busy)
        self.bytes, self.errors = Total(dut, "o_bytes_read"), Total(dut, "o_error")
        self.skipped, self.missing = Total(dut, "o_skipped"), Total(dut, "o_missing")

    async def read(self, segments, idle=0.0):
        """Deliver ``segments``; check words, bursts and counts."""
        await start(self.dut)
        self.source = Source(self.dut, "i", list(map(vars, segments)), self.rng, idle)
        for task in (self.source, self.sink, self.bytes, self.errors, self.skipped, self.missing):
            cocotb.start_soon(task.run())
        cocotb.start_soon(serve_reads(self.dut, self.model, self.checker))
        expected = words(self.memory.peek, segments, PARAMS)
        await self.sink.collect(len(expected), timeout=8 * PER_WORD * len(expected) + 4000)
        assert self.sink.beats == expected
        read = [region for segment in segments for region in regions(segment, PARAMS)]
        asked = [burst for region in read for burst in bursts(*region, MAX_BURST_BEATS, PARAMS)]
        assert [(burst.address, burst.beats) for burst in self.model.bursts] == asked
        assert self.checker.pending == 0
        assert self.bytes.sum == self.memory.bytes_read == bytes_read(segments, PARAMS)
        if MAX_WORDS == PARAMS.max_value_words:  # nothing of a linear layer is skipped
            assert BYTES * self.skipped.sum == bytes_skipped(segments, PARAMS)
        in_regions = [address + k * BYTES for address, n_beats in read for k in range(n_beats)]
        assert self.errors.sum == sum(address in self.memory.faults for address in in_regions)


@cocotb.test()
@cocotb.parametrize(timing=["slow", "erratic"], stalls=[0.0, 0.4])
async def random_planes(dut, timing, stalls):
    rng = bench_rng()
    segments = random_segments(rng, 40)
    assert bytes_skipped(segments, PARAMS) > 0
    await Bench(dut, TIMINGS[timing], rng, stalls).read(segments, stalls)


@cocotb.test()
async def errors(dut):
    """Words with an error are reported, and delivered as the others are."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["erratic"], rng)
    places = rng.sample(range(BASE, TOP, BYTES), (TOP - BASE) // BYTES // 4)
    bench.memory.faults = {place: rng.choice((Response.SLVERR, Response.DECERR)) for place in places}
    await bench.read(random_segments(rng, 40))
    assert bench.errors.sum > 10


@cocotb.test()
async def zeros_do_not_touch_memory(dut):
    """One zero per clock cycle, the first as early as the docstring says, and no address needs to be legal."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["ideal"], rng)
    shapes = [(2, 1), (PARAMS.max_seq_len, MAX_WORDS), (5, 2), (2, 1), (1, 2), (2, 1)]
    segments = [Segment(0, 0, *shape, zero=1, key=k & 1, last=k & 1) for k, shape in enumerate(shapes)]
    await bench.read(segments)
    first = bench.source.taken[0] + 4
    assert bench.sink.cycles == list(range(first, first + len(bench.sink.beats)))
    assert bench.checker.n_bursts == 0


@cocotb.test()
@cocotb.parametrize(latency=[1, 40], gap=[0, 1])
async def rate(dut, latency, gap):
    """No clock cycle is lost between words, rows and segments; the first word is as early as the docstring says."""
    rng = bench_rng()
    bench = Bench(dut, ReadTiming(latency=latency), rng)
    shapes = [(40, 2), (2, 1), (3, MAX_WORDS), (2, 2), (8, MAX_WORDS - 1), (20, 2)]
    segments = [segment(rng, *shape, gap, last=1) for shape in shapes]
    await bench.read(segments)
    first = bench.source.taken[0] + 5 + latency + PER_WORD - 1 + PlaneReader.latency
    assert bench.sink.cycles == list(range(first, first + PER_WORD * len(bench.sink.beats), PER_WORD))
    assert bench.missing.sum == bench.sink.cycles[-1] - bench.source.taken[0] - 3  # from the delivery's first cycle on


@cocotb.test()
async def short_segments(dut):
    """Single key blocks between zeros hide the memory's latency: what is asked for runs ahead of what is delivered."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["slow"], rng)
    segments = [segment(rng, PARAMS.tile, 2, 1, zero=k & 1) for k in range(3 * MAX_SEGMENTS)]
    await bench.read(segments)
    n_words = [len(range(k.n_rows * k.words)) * (1 if k.zero else PER_WORD) for k in segments]
    assert bench.sink.cycles[-1] - bench.sink.cycles[0] == sum(n_words) - PER_WORD


@cocotb.test()
async def runs_ahead(dut):
    """While nothing is taken, segments are, until there is no room for more of them or for their words."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["ideal"], rng, busy=1.0)
    reading = cocotb.start_soon(bench.read([segment(rng, 1, 1) for _ in range(2 * MAX_SEGMENTS)]))
    for _ in range(FIFO_WORDS + 200):
        await RisingEdge(dut.aclk)
    room = (FIFO_WORDS - 2 * MAX_BURST_BEATS) // PER_WORD
    assert min(MAX_SEGMENTS, room) <= len(bench.source.taken) <= MAX_SEGMENTS + 3
    bench.sink.busy = 0.0
    await reading


@on_widths((16, 64), (64, 64), (512, 32), more=[(64, 32), (64, 128), (512, 128)])
def test_plane_reader(simulator, widths):
    run(PlaneReader(params_of(*widths)), __name__, simulator, widths)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_rows_of_linear_layers(simulator):
    """Up to 256 bus words, of which those of 32 or more are no region with others."""
    run(PlaneReader(params_of(64, 64, 1)), __name__, simulator, (64, 64, 1))
