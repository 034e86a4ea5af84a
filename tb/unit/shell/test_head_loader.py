"""HeadLoader against golden.bits.shell.fetch: a core of the bench's own takes what is loaded and decides what it
needs."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.golden.bits.shell.fetch import head_segments
from hdp_hw.golden.bits.shell.plane_reader import regions, row_beats, words
from hdp_hw.golden.bits.shell.read_traffic import bytes_read, bytes_skipped
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.head_loader import HeadLoader
from hdp_hw.spec.formats import HEADS_INSIDE, PLANES, SLICES_PER_WORD, STREAMS, stream_of
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict, field_limits
from tb.lib.axi_memory import ReadChecker, ReadModel, serve_reads
from tb.lib.lockstep import pack, read, start
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

BASE, SIZE = 0x10_0000_0000, 1 << 16
VERDICTS = (Verdict.SPARSE, Verdict.PRUNED, Verdict.SPARSE, Verdict.FALLBACK, Verdict.SPARSE, Verdict.DENSE)
SETTINGS = tuple(field_limits(PARAMS))
W = PARAMS.mask_word


class Head:
    """A head somewhere in memory, what the core will decide about it, and what is due on each stream."""

    def __init__(self, rng, number, memory):
        n_q, n_k = (rng.choice([1, rng.randint(1, 24), rng.randint(1, 70)]) for _ in range(2))
        head_dim = PARAMS.slice_width * rng.randint(1, PARAMS.max_slices)
        self.verdict = VERDICTS[number % len(VERDICTS)]
        rule = Rule.DENSE if self.verdict == Verdict.DENSE else Rule.MASS
        causal = rng.random() < 0.3
        switches = {name: not causal and rng.random() < 0.4 for name in ("compensate", "mean_output")}
        self.settings = HeadSettings(n_q, n_k, head_dim, rule, causal, **switches)
        self.mask = self._random_mask(np.random.default_rng(rng.getrandbits(32)))
        result = HeadResult(None, self.mask, None, self.verdict, 0, 0, 0)
        self.places = {}
        for plane in PLANES:
            n_words = ceil_div(PARAMS.slices(head_dim), SLICES_PER_WORD[stream_of(plane)])
            stride = (row_beats(n_words, PARAMS) + rng.choice([0, 0, 1, 5])) * PARAMS.bus_bytes
            n_rows = n_q if plane.startswith("q") else n_k
            first = rng.randrange((SIZE - n_rows * stride) // PARAMS.bus_bytes) * PARAMS.bus_bytes
            self.places[plane] = (BASE + first, stride)
        self.segments = head_segments(result, self.settings, self.places, PARAMS)
        planes = {stream: [plane for plane in PLANES if stream_of(plane) == stream] for stream in STREAMS}
        self.beats = {stream: self._beats(memory, of_stream) for stream, of_stream in planes.items()}
        self.command = {"head": number, "record": rng.getrandbits(32), "record_enable": rng.getrandbits(1)}
        self.command |= {f"settings_{name}": int(getattr(self.settings, name)) for name in SETTINGS}
        self.command |= {"output_address": rng.getrandbits(32), "output_row_stride": rng.getrandbits(16)}
        for plane, (address, stride) in self.places.items():
            self.command |= {f"{plane}_address": address, f"{plane}_row_stride": stride}

    def _random_mask(self, rng):
        """Bool [blocks_q, blocks_k], nothing where no block exists."""
        existing = existing_blocks(self.settings, PARAMS.tile)
        shape = len(existing), ceil_div(self.settings.n_k, PARAMS.tile)
        kept = rng.random(shape[1]) < rng.choice([0.1, 0.5, 0.9])  # by any row
        return (rng.random(shape) < rng.choice([0.1, 0.5])) & kept & (np.arange(shape[1]) < existing[:, None])

    def _beats(self, memory, planes):
        """``[(data, key, last)]`` of a stream."""
        delivered = words(memory.peek, [segment for plane in planes for segment in self.segments[plane]], PARAMS)
        return [(word, key, int(index == len(delivered) - 1)) for index, (word, key, _) in enumerate(delivered)]

    @property
    def trace(self):
        """``[(index, word)]`` of the mask, as the core traces it; nothing of a dense head."""
        if self.verdict == Verdict.DENSE:
            return []
        blocks = existing_blocks(self.settings, PARAMS.tile)
        return [
            (index, pack(np.resize(np.append(part, np.zeros(W, bool)), W), W))
            for row, n_blocks in zip(self.mask, blocks)
            for index in range(ceil_div(max(n_blocks, 1), W))
            for part in [row[index * W : (index + 1) * W]]
        ]


class Bench:
    """The loader between its memories and the core."""

    def __init__(self, dut, rng, timing, busy, faults=0):
        self.dut, self.rng, self.timing = dut, rng, timing
        self.memory = random_memory(rng, SIZE, BASE)
        for _ in range(faults):
            place = BASE + rng.randrange(SIZE // PARAMS.bus_bytes) * PARAMS.bus_bytes
            self.memory.faults[place] = rng.choice([Response.SLVERR, Response.DECERR])
        self.sinks = {name: Sink(dut, f"o_{name}", ("data", "key", "last"), rng, busy) for name in STREAMS}
        self.errors, self.skipped, self.busy = (Total(dut, f"o_{name}") for name in ("error", "bytes_skipped", "busy"))
        self.settings, self.bytes_read = Sink(dut, "o_settings", SETTINGS, rng, busy), 0

    async def load(self, numbers, idle=0.0):
        """Load random heads of these numbers; check settings, words and bytes. Returns the heads."""
        dut, rng = self.dut, self.rng
        heads = [Head(rng, number, self.memory) for number in numbers]
        await start(dut)
        for index in range(len(STREAMS)):
            model = ReadModel(self.memory, PARAMS.bus_bytes, self.timing, rng)
            cocotb.start_soon(serve_reads(dut, model, ReadChecker(PARAMS.bus_bytes), f"memory_{index}"))
        source = Source(dut, "i", [head.command for head in heads], rng, idle)
        for task in (source, *self.sinks.values(), self.settings, self.errors, self.skipped, self.busy):
            cocotb.start_soon(task.run())
        cocotb.start_soon(self._count_bytes())
        cocotb.start_soon(self._limit(heads))
        await self._decide(heads, idle)
        for name, sink in self.sinks.items():
            due = [beat for head in heads for beat in head.beats[name]]
            await sink.collect(len(due), 50_000)
            assert sink.beats == due, f"words of the {name} planes differ"
        signed = {name: len(getattr(dut, f"o_settings_{name}")) for name in SETTINGS}
        wanted = [tuple(head.command[f"settings_{name}"] % (1 << signed[name]) for name in SETTINGS) for head in heads]
        assert self.settings.beats == wanted
        all_segments = [segment for head in heads for of_plane in head.segments.values() for segment in of_plane]
        assert self.bytes_read == bytes_read(all_segments, PARAMS)
        assert self.skipped.sum == bytes_skipped(all_segments, PARAMS)
        assert not read(dut.o_busy, "o_busy")
        return heads

    async def _decide(self, heads, idle):
        """Trace a head's mask and verdict some time after its I planes, or a dense one's planes, have come."""
        dut, rng, due = self.dut, self.rng, dict.fromkeys(STREAMS, 0)
        for head in heads:
            due = {stream: n + len(head.beats[stream]) for stream, n in due.items()}
            awaited = STREAMS if head.verdict == Verdict.DENSE and rng.random() < 0.5 else STREAMS[:1]
            for stream in awaited:
                await self.sinks[stream].reach(due[stream], 10_000)
            while rng.random() < 0.1 + 0.8 * idle:
                await RisingEdge(dut.aclk)
            trace = head.trace
            for number, (index, word) in enumerate(trace):
                while rng.random() < idle:
                    await self._cycle(i_mask_valid=0)
                ends = number == len(trace) - 1 and rng.random() < 0.5  # the verdict comes with the last word, or after
                values = {"i_mask_valid": 1, "i_mask_index": index, "i_mask_word": word}
                await self._cycle(**values, i_verdict_valid=int(ends), i_verdict=head.verdict)
            if not trace or not ends:
                await self._cycle(i_mask_valid=0, i_verdict_valid=1, i_verdict=head.verdict)
            dut.i_mask_valid.value = dut.i_verdict_valid.value = 0

    async def _cycle(self, **values):
        for name, value in values.items():
            getattr(self.dut, name).value = int(value)
        await RisingEdge(self.dut.aclk)

    async def _limit(self, heads):
        """Refuse settings while the core is full."""
        usual = self.settings.busy
        while True:
            n_left = 0
            for name, sink in self.sinks.items():
                ends = np.cumsum([len(head.beats[name]) for head in heads])
                n_left = min(n_left or len(heads), int((ends <= len(sink.beats)).sum()))
            self.settings.busy = usual if len(self.settings.beats) < n_left + HEADS_INSIDE else 1.0
            await RisingEdge(self.dut.aclk)

    async def _count_bytes(self):
        width = len(self.dut.o_bytes_read) // len(STREAMS)
        while True:
            await RisingEdge(self.dut.aclk)
            packed = read(self.dut.o_bytes_read, "o_bytes_read")
            self.bytes_read += sum(packed >> k * width & ((1 << width) - 1) for k in range(len(STREAMS)))


@cocotb.test()
@cocotb.parametrize((("timing", "stalls"), [("ideal", 0.0), ("erratic", 0.0), ("mixing", 0.4)]))
async def heads(dut, timing, stalls):
    """Heads of all verdicts, ahead of the core as far as it lets them."""
    bench = Bench(dut, bench_rng(), TIMINGS[timing], stalls)
    await bench.load(range(2 * len(VERDICTS)), stalls)
    assert bench.skipped.sum and not bench.errors.sum


@cocotb.test()
async def busy(dut):
    """Dense heads wait for no verdict, but the core for each of their words."""
    bench = Bench(dut, bench_rng(), TIMINGS["ideal"], 0.0)
    heads = await bench.load([VERDICTS.index(Verdict.DENSE)] * 4)
    n_words = {name: sum(len(head.beats[name]) for head in heads) for name in STREAMS}
    assert bench.busy.sum >= max(n_words.values())


@cocotb.test()
async def errors(dut):
    """A bus word that comes with an error is told, whichever plane it is of."""
    bench = Bench(dut, bench_rng(), TIMINGS["mixing"], 0.2, faults=400)
    heads = await bench.load(range(8), 0.2)
    asked = {name: 0 for name in STREAMS}
    for head in heads:
        for plane, of_plane in head.segments.items():
            for address, n_words in (region for segment in of_plane for region in regions(segment, PARAMS)):
                places = range(address, address + n_words * PARAMS.bus_bytes, PARAMS.bus_bytes)
                asked[next(name for name in STREAMS if name in plane)] += sum(p in bench.memory.faults for p in places)
    assert all(asked.values()) and max(asked.values()) <= bench.errors.sum <= sum(asked.values())  # some at once


@on_widths((64, 64), (16, 64), more=[(512, 32)])
def test_head_loader(simulator, widths):
    run(HeadLoader(params_of(*widths)), __name__, simulator, widths)
