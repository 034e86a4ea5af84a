"""RowWriter against golden.bits.shell.write_traffic."""

import os
import random
from dataclasses import dataclass

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.write_traffic import Output, Target, bytes_written, contents, row_words, write_bursts
from hdp_hw.rtl.shell.axi import PAGE_BYTES, Response
from hdp_hw.rtl.shell.commands import output_layout
from hdp_hw.rtl.shell.row_writer import RowWriter
from hdp_hw.spec.depths import HELD_WORDS, MAX_BURST_BEATS
from hdp_hw.spec.formats import RECORD_BYTES
from hdp_hw.spec.params import HdpParams
from tb.lib.axi_memory import Memory
from tb.lib.axi_write_memory import IDEAL, SILENT, WriteChecker, WriteModel, WriteTiming, serve_writes
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import SIMULATORS, simulate
from tb.unit.block_bench import bits

#: (tile, lanes, digit_width) by the width of a beat
BEATS = {8: (2, 4, 4), 16: (2, 16, 4), 32: (4, 16, 4), 64: (4, 32, 4), 128: (4, 64, 4), 256: (8, 64, 8)}
WIDTHS = [(8, 128), (16, 32), (16, 64), (32, 32), (64, 128), (128, 64), (256, 32)]  #: (beat, bus)
TIMINGS = {
    "ideal": IDEAL,
    "slow": WriteTiming(latency=60),
    "erratic": WriteTiming(latency=(1, 30), aw_stall=0.4, w_stall=0.4, b_stall=0.4, block=200),
}
BASE, PAGES = 0x12_3456_7000, 16
TOP = BASE + PAGES * PAGE_BYTES


def params_of(beat_width, bus_width):
    """Parameters with a beat and a bus of these widths."""
    tile, lanes, digit_width = BEATS[beat_width]
    return HdpParams(tile, lanes, digit_width, max_head_dim=64, max_seq_len=64, bus_width=bus_width)


PARAMS = params_of(*map(int, os.environ.get("HDP_WIDTHS", "16,64").split(",")))  #: of the block under test
TARGETS = int(os.environ.get("HDP_TARGETS", "1"))  #: of a head at most
BYTES, BEAT_WIDTH = PARAMS.bus_bytes, PARAMS.out_lanes * PARAMS.operand_width
MAX_BEATS = PARAMS.max_head_dim // PARAMS.out_lanes
PARTS = max(1, BEAT_WIDTH // PARAMS.bus_width)  # bus words of a beat
RECORD_WORDS = RECORD_BYTES // BYTES


@dataclass(eq=False)
class Head:
    """A head, and in which clock cycles its parts were taken and its end was reported; ``refused``: it has no beats."""

    output: Output
    values: list  #: of each target, [n_rows, elements]
    record: tuple | None
    record_payload: dict
    refused: bool = False
    wrong_last: int | None = None  #: beat whose ``last`` is wrong

    def __post_init__(self):
        self.written = None if self.refused else self.output
        rows = [] if self.refused else [row for of_targets in zip(*self.values) for row in of_targets]
        beats = [pack(beat, BEAT_WIDTH) for row in rows for beat in row.reshape(-1, PARAMS.out_lanes)]
        self.beats = [
            (beat, int(index == len(beats) - 1) ^ (index == self.wrong_last)) for index, beat in enumerate(beats)
        ]
        self.taken, self.command_taken, self.record_taken, self.done = [], None, None, None

    @property
    def command(self):
        """Fields of ``i``."""
        targets = [vars(target) for target in self.output.targets]
        targets += [dict.fromkeys(targets[0], 0)] * (TARGETS - len(targets))
        layout = output_layout(PARAMS, TARGETS).members["targets"]
        return {"n_rows": self.output.n_rows, "last": len(self.output.targets) - 1, "targets": bits(layout, targets)}

    @property
    def bursts(self):
        return write_bursts(self.written, self.record, MAX_BURST_BEATS, PARAMS)


def head(rng, n_rows, beats, gap=0, record=None, refused=False, wrong_last=None, n_targets=None):
    """A head somewhere in memory, often across the end of a page, with ``gap`` bus words between its rows.

    Up to TARGETS targets unless ``n_targets`` is given; beats : of the first one's rows.
    """

    def place(size):
        address = rng.choice([rng.randrange(BASE, TOP), BASE + PAGE_BYTES * rng.randint(1, PAGES - 1) - size // 2])
        return max(BASE, min(address, TOP - size)) // BYTES * BYTES

    limit = 1 << (PARAMS.operand_width - 1)
    targets, values = [], []
    for number in range(n_targets or rng.randint(1, TARGETS)):
        beats = rng.randint(1, MAX_BEATS) if number else beats
        stride = (row_words(beats, PARAMS) + gap) * BYTES
        targets.append(Target(place(n_rows * stride), stride, beats))
        numbers = [rng.randrange(-limit, limit) for _ in range(n_rows * beats * PARAMS.out_lanes)]
        values.append(np.array(numbers).reshape(n_rows, -1))
    record = rng.random() < 0.7 if record is None else record
    address, text = place(RECORD_BYTES), rng.randbytes(RECORD_BYTES)
    payload = {"address": address, "record": int.from_bytes(text, "little"), "enable": int(record)}
    output = Output(tuple(targets), n_rows)
    record = (address, text) if record else None
    return Head(output, values, record, payload, refused, wrong_last)


def random_heads(rng, n):
    """Heads of all kinds."""
    heads = []
    for _ in range(n):
        beats = rng.choice([1, MAX_BEATS, rng.randint(1, MAX_BEATS)])
        n_rows = rng.choice([1, 2, rng.randint(1, min(PARAMS.max_seq_len, max(2, 120 // (beats * PARTS))))])
        heads.append(head(rng, n_rows, beats, rng.choice([0, 0, 1, rng.randint(1, 40)]), refused=rng.random() < 0.15))
    return heads


class Bench:
    """The block under test with a memory at its port; ``idle`` is the probability that an input waits."""

    def __init__(self, dut, timing, rng, idle=0.0):
        self.dut, self.rng, self.idle = dut, rng, idle
        self.memory, self.expected = Memory(TOP - BASE, BASE), Memory(TOP - BASE, BASE)
        self.memory.data[:] = self.expected.data[:] = rng.randbytes(TOP - BASE)
        self.model, self.checker = WriteModel(self.memory, BYTES, timing, rng), WriteChecker(BYTES)
        self.bytes = self.errors = self.malformed = self.cycle = 0

    async def write(self, heads, timeout=100_000):
        """Write ``heads``; check memory, bursts and counts."""
        await start(self.dut)
        cocotb.start_soon(serve_writes(self.dut, self.model, self.checker))
        self.heads = heads
        self.commands = [(head, head.command) for head in heads]
        self.beats = [(head, {"data": data, "last": last}) for head in heads for data, last in head.beats]
        self.records = [(head, head.record_payload) for head in heads]
        self.offers = {"i": False, "i_data": False, "i_record": False}
        while heads[-1].done is None:
            await self.step()
            assert self.cycle < timeout, f"{sum(head.done is None for head in heads)} heads did not end"
        for _ in range(20):
            await self.step()
        assert not (self.commands or self.beats or self.records)
        self.check()

    def check(self):
        """What has come out, against the golden model."""
        heads = self.heads
        for each in heads:
            for address, data in contents(each.written, each.values, each.record, PARAMS):
                for word in range(address // BYTES * BYTES, address + len(data), BYTES):
                    part = data[word - address : word - address + BYTES]
                    self.expected.faults = self.memory.faults
                    self.expected.write(word, part.ljust(BYTES, b"\0"), [k < len(part) for k in range(BYTES)])
        assert self.memory.data == self.expected.data
        assert self.checker.pending == self.model.pending == 0
        asked = [burst for each in heads for burst in each.bursts]
        assert [(burst.address, burst.length) for burst in self.model.bursts] == asked
        assert {burst.id for burst in self.model.bursts} <= {0}
        assert self.bytes == self.memory.bytes_written
        assert self.bytes == sum(bytes_written(each.written, each.record, PARAMS) for each in heads)
        assert self.errors == sum(burst.response != Response.OKAY for burst in self.model.bursts)
        assert self.malformed == sum(each.wrong_last is not None for each in heads)

    async def step(self):
        """One clock cycle."""
        dut = self.dut
        for name, queue in (("i", self.commands), ("i_record", self.records), ("i_data", self.beats)):
            if not self.offers[name] and queue and self._may_offer(name, queue[0][0]):
                self.offers[name] = self.rng.random() >= self.idle
                for field, value in queue[0][1].items():
                    getattr(dut, f"{name}_{field}").value = value
            getattr(dut, f"{name}_valid").value = int(self.offers[name])
        await RisingEdge(dut.aclk)
        if TARGETS > 1 and read(dut.o_row, "o_row"):
            self._tell_row()
        for name, queue in (("i", self.commands), ("i_record", self.records), ("i_data", self.beats)):
            if self.offers[name] and read(getattr(dut, f"{name}_ready"), f"{name}_ready"):
                self._taken(name, queue.pop(0)[0])
                self.offers[name] = False
        if read(dut.o_done, "o_done"):
            self._done()
        self.errors += read(dut.o_error, "o_error")
        self.malformed += read(dut.o_malformed, "o_malformed")
        self.bytes += read(dut.o_bytes_written, "o_bytes_written")
        self.cycle += 1

    def _tell_row(self):
        """The address of the head's next row; anything behind its last."""
        self.dut.i_row.value = next(self.rows, self.rng.getrandbits(PARAMS.address_width))

    def _may_offer(self, name, of):
        """Records follow the head's beats, beats the records of the heads before."""
        if name == "i_record":
            return len(of.taken) == len(of.beats)
        if name == "i_data":
            record = self.records[0][0] if self.records else None
            return record is of or record is None or (self.offers["i_record"] and self._next(record) is of)
        return True

    def _next(self, of):
        """The first head after ``of`` that has beats."""
        later = self.heads[self.heads.index(of) + 1 :]
        return later[0] if later else None

    def _taken(self, name, of):
        if name == "i":
            of.command_taken = self.cycle
            if TARGETS > 1:
                self.rows = (target.row(row) for row in range(of.output.n_rows) for target in of.output.targets)
                self._tell_row()
        elif name == "i_data":
            assert of.command_taken is not None
            of.taken.append(self.cycle)
        else:
            of.record_taken = self.cycle

    def _done(self):
        """The next head has ended: its responses have come, and errors have been reported."""
        ended = next(head for head in self.heads if head.done is None)
        ended.done = self.cycle
        assert ended.record_taken is not None
        n_bursts = sum(len(head.bursts) for head in self.heads if head.done is not None)
        answered = [burst for burst in self.model.bursts[:n_bursts] if burst.responded is not None]
        assert len(answered) == n_bursts, f"{len(answered)} of {n_bursts} bursts were answered"
        errors = self.errors + read(self.dut.o_error, "o_error")
        assert errors >= sum(burst.response != Response.OKAY for burst in answered)


def bench_rng():
    return random.Random(cocotb.RANDOM_SEED)


@cocotb.test()
@cocotb.parametrize(timing=["ideal", "slow", "erratic"], idle=[0.0, 0.3])
async def heads(dut, timing, idle):
    rng = bench_rng()
    await Bench(dut, TIMINGS[timing], rng, idle).write(random_heads(rng, 25))


@cocotb.test()
async def errors(dut):
    """Every burst with an error is reported, before its head ends."""
    rng = bench_rng()
    bench = Bench(dut, TIMINGS["erratic"], rng)
    places = rng.sample(range(BASE, TOP, BYTES), (TOP - BASE) // BYTES // 10)
    bench.memory.faults = {place: rng.choice((Response.SLVERR, Response.DECERR)) for place in places}
    await bench.write(random_heads(rng, 25))
    assert bench.errors > 5


@cocotb.test()
async def malformed(dut):
    """``last`` too early or missing is reported; the rows are written as commanded."""
    rng = bench_rng()
    faulty = [head(rng, 3, 2, wrong_last=rng.choice([0, 4, 5, None])) for _ in range(20)]
    await Bench(dut, IDEAL, rng).write(faulty)


@cocotb.test()
@cocotb.parametrize(gap=[0, 1], beats=[1, 3, MAX_BEATS])
async def rate(dut, gap, beats):
    """No clock cycle is lost, and all that happens does so as early as the docstring says."""
    rng = bench_rng()
    n_rows = min(PARAMS.max_seq_len, 1 + 100 // (beats * PARTS))
    heads = [head(rng, n_rows, beats, gap, record=k != 1, refused=k == 3) for k in range(5)]
    bench = Bench(dut, IDEAL, rng)
    await bench.write(heads)
    bursts = iter(bench.model.bursts)
    sent = answered = -1  # clock cycles of the last word and of the last response so far
    for index, each in enumerate(heads):
        start = each.command_taken + 2
        assert index == 0 or each.command_taken == heads[index - 1].record_taken + 1
        assert each.taken == list(range(start, start + PARTS * len(each.beats), PARTS))
        start = each.taken[-1] + RowWriter(PARAMS).record_latency if each.taken else start + 1
        assert each.record_taken == start + (RECORD_WORDS if each.record else 0)
        complete = [cycle for region in word_cycles(each) for cycle in region]
        if each.record:
            complete += [start + word + 1 for word in range(RECORD_WORDS)]
        complete = iter(complete)
        for _, length in each.bursts:
            burst = next(bursts)
            offered = [next(complete) for _ in range(length)][-1] + 3
            first = max(offered, sent + 1)
            sent = first + length - 1
            answered = max(sent + 1, answered + 1)
            assert burst.requested == offered
            assert burst.word_cycles == list(range(first, sent + 1))
            assert burst.responded == answered
        answered = answered if each.record else max(each.record_taken + 2, answered + 1)
        assert each.done == answered + 1


def word_cycles(each):
    """For each region of a head's rows: when its words were taken with a beat, those of one beat one after another."""
    if each.refused:
        return
    per_word = max(1, PARAMS.bus_width // BEAT_WIDTH)
    beats = np.cumsum([target.beats for target in each.output.targets] * each.output.n_rows)
    for row in np.split(each.taken, beats[:-1]):
        last_beats = [*row[per_word - 1 :: per_word], *(row[-1:] if len(row) % per_word else [])]
        yield [int(cycle) + part for cycle in last_beats for part in range(PARTS)]


@cocotb.test()
async def waits(dut):
    """A memory that takes nothing: the writer holds what it can, and loses nothing."""
    rng = bench_rng()
    n_rows = 1 + 2 * HELD_WORDS // row_words(MAX_BEATS, PARAMS)
    heads = [head(rng, n_rows, MAX_BEATS, gap, n_targets=1) for gap in (0, 1, 0)]
    bench = Bench(dut, SILENT, rng)
    writing = cocotb.start_soon(bench.write(heads))
    for _ in range(800):
        await RisingEdge(dut.aclk)
    n_words = sum(len(each.taken) * BEAT_WIDTH for each in heads) / PARAMS.bus_width
    assert HELD_WORDS - 3 * PARTS <= n_words <= HELD_WORDS
    bench.model.timing = TIMINGS["erratic"]
    await writing


@cocotb.test()
async def short_bursts(dut):
    """Many bursts of one word, whose responses take long."""
    rng = bench_rng()
    await Bench(dut, TIMINGS["slow"], rng).write([head(rng, PARAMS.max_seq_len, 1, gap=3) for _ in range(4)])


@pytest.mark.parametrize("widths", WIDTHS, ids=lambda widths: f"{widths[0]}-{widths[1]}")
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_row_writer(simulator, widths):
    run(simulator, widths)


@pytest.mark.parametrize(("widths", "n_targets"), [((16, 64), 2), ((32, 32), 3), ((64, 128), 3), ((128, 64), 3)])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_targets(simulator, widths, n_targets):
    run(simulator, widths, n_targets)


def run(simulator, widths, n_targets=1):
    name = f"row_writer_{widths[0]}_{widths[1]}_{n_targets}"
    environment = {"HDP_WIDTHS": f"{widths[0]},{widths[1]}", "HDP_TARGETS": str(n_targets)}
    simulate(RowWriter(params_of(*widths), n_targets), __name__, simulator, name=name, plusenv=environment)
