"""NormLane against golden.bits.shell.norm_lane: norms from memory to memory, and what is refused."""

import os
import random

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.norm_lane import bytes_read, bytes_written, contents, refused
from hdp_hw.rtl.shell.axi import Response
from hdp_hw.rtl.shell.norm_lane import NormLane
from hdp_hw.simulation.illegal_words import illegal_norm_fields
from hdp_hw.spec.formats import NORM_BYTES
from hdp_hw.spec.params import HdpParams
from tb.lib.axi_memory import Memory, ReadChecker, ReadModel, ReadTiming, serve_reads
from tb.lib.axi_write_memory import WriteChecker, WriteModel, WriteTiming, serve_writes
from tb.lib.lockstep import read, start
from tb.lib.norms import PlacedNorm
from tb.lib.simulation import SIMULATORS, simulate
from tb.unit.shell.read_path_bench import Total

WIDTHS = (32, 64, 128)  #: of the bus
BASE, SIZE = 0x1000_0000, 1 << 18
MEMORIES = {
    "ideal": (ReadTiming(), WriteTiming()),
    "slow": (ReadTiming(latency=90), WriteTiming(latency=90, block=1500)),
    "erratic": (
        ReadTiming(latency=(1, 40), ar_stall=0.3, r_stall=0.5),
        WriteTiming(latency=(1, 40), aw_stall=0.3, w_stall=0.6, b_stall=0.3, block=400),
    ),
}


def params_of(bus_width):
    return HdpParams(2, 16, max_head_dim=16, max_seq_len=32, multiplier=18, encoder=1, bus_width=bus_width)


PARAMS = params_of(int(os.environ.get("HDP_BUS", "64")))  #: of the block under test, on the simulator's side


class Bench:
    """A lane with a memory behind each of its ports; ``ends`` lists what it told of its end."""

    def __init__(self, dut, memory):
        self.dut, self.rng = dut, random.Random(cocotb.RANDOM_SEED)
        self.numbers = np.random.default_rng(cocotb.RANDOM_SEED)
        self.memory, self.free = Memory(SIZE, BASE), BASE
        self.memory.data[:] = self.rng.randbytes(SIZE)
        self.reads, self.writes = MEMORIES[memory]
        self.totals = {name: Total(dut, f"o_traffic_{name}") for name in ("read", "written")}
        self.errors = {name: Total(dut, f"o_{name}") for name in ("read_error", "write_error")}
        self.ends = []

    async def start(self):
        await start(self.dut)
        self.serve()
        for each in (*self.totals.values(), *self.errors.values(), self):
            cocotb.start_soon(each.run())

    def serve(self):
        """A memory behind each port that knows of nothing before."""
        dut, bus = self.dut, PARAMS.bus_bytes
        self.checkers = [ReadChecker(bus), WriteChecker(bus)]
        reads = ReadModel(self.memory, bus, self.reads, self.rng)
        writes = WriteModel(self.memory, bus, self.writes, self.rng)
        self.serving = [
            cocotb.start_soon(serve_reads(dut, reads, self.checkers[0], "read")),
            cocotb.start_soon(serve_writes(dut, writes, self.checkers[1], "write")),
        ]

    async def run(self):
        """Look at the ends, for ever."""
        signals = {name: getattr(self.dut, f"o_end_{name}") for name in ("done", "bad_settings", "misaligned")}
        while True:
            await RisingEdge(self.dut.aclk)
            self.ends += [name for name, signal in signals.items() if read(signal, name)]

    def allocate(self, n_bytes):
        """Anywhere behind what was allocated before, so that bursts end at pages now and then."""
        address = self.free + PARAMS.bus_bytes * self.rng.choice([0, 1, 30])
        self.free = address + -(-n_bytes // PARAMS.bus_bytes) * PARAMS.bus_bytes
        assert self.free <= BASE + SIZE
        return address

    def place(self, **more):
        """A PlacedNorm in a memory that has room for it."""
        if self.free > BASE + SIZE // 2:
            self.free = BASE
        return PlacedNorm(self.numbers, PARAMS, self.memory, self.allocate, **more)

    async def begin(self, norm):
        """Start it, as the job engine does."""
        self.ends.clear()
        self.dut.i_start.value, self.dut.i_address.value = 1, norm.address
        await RisingEdge(self.dut.aclk)
        self.dut.i_start.value, self.dut.i_address.value = 0, self.rng.getrandbits(PARAMS.address_width)

    async def end(self, timeout=200_000):
        """What the lane tells of its end."""
        for _ in range(timeout):
            await RisingEdge(self.dut.aclk)
            if self.ends:
                await self.steps(3)
                return self.ends
        raise AssertionError("it does not end")

    async def check(self, norm):
        """Run a norm; memory and bytes are the golden ones, and nothing else has changed."""
        before = {name: total.sum for name, total in self.totals.items()}
        expected = Memory(SIZE, BASE)
        expected.data[:] = self.memory.data
        for address, content in contents(self.memory.peek, norm.fields, PARAMS):
            expected.poke(address, content)
        await self.begin(norm)
        assert await self.end() == ["done"]
        wrong = [place for place, pair in enumerate(zip(self.memory.data, expected.data)) if pair[0] != pair[1]]
        assert not wrong, f"{len(wrong)} bytes differ, the first at {BASE + wrong[0]:#x}, of {norm.fields}"
        counted = {name: total.sum - before[name] for name, total in self.totals.items()}
        of_norm = norm.fields, PARAMS
        assert counted == {"read": bytes_read(*of_norm), "written": bytes_written(*of_norm)}
        assert not any(checker.pending for checker in self.checkers)

    async def reset(self):
        """Reset the lane and what is behind its ports, as the job engine and the arbiters do together."""
        for task in self.serving:
            task.cancel()
        for channel in ("read_r", "write_b"):
            getattr(self.dut, f"{channel}_valid").value = 0
        self.dut.aresetn.value = 0
        await self.steps(2)
        self.dut.aresetn.value = 1
        self.serve()
        await self.steps(2)

    async def steps(self, n):
        for _ in range(n):
            await RisingEdge(self.dut.aclk)


@cocotb.test()
@cocotb.parametrize(memory=list(MEMORIES))
async def norms(dut, memory):
    """Of every shape, one after the other."""
    bench = Bench(dut, memory)
    await bench.start()
    most = PARAMS.max_features
    for n in (2, 3, most, most - 1, *bench.numbers.integers(2, most // 2, 6)):
        await bench.check(bench.place(n=int(n)))
    await bench.check(bench.place(rows=PARAMS.max_seq_len, n=9))
    assert not any(total.sum for total in bench.errors.values())


@cocotb.test()
async def refusals(dut):
    """Each field beyond each of its bounds; the lane reads no more, and after a reset the next norm is right."""
    bench = Bench(dut, "ideal")
    await bench.start()
    for changes, event in illegal_norm_fields(PARAMS):
        norm = bench.place(rows=2, n=5)
        norm.put(changes)
        assert refused(norm.fields, PARAMS) == event
        before = bench.totals["read"].sum
        await bench.begin(norm)
        assert await bench.end(1000) == [event], changes
        await bench.steps(30)
        assert bench.totals["read"].sum - before == NORM_BYTES and len(bench.ends) == 1
        await bench.reset()
    await bench.check(bench.place())


@cocotb.test()
async def bus_errors(dut):
    """Each is told, once a bus word of a read, once a burst of a write; and the norm goes on."""
    bench = Bench(dut, "erratic")
    await bench.start()
    for name in ("x", "y", "scales", "words", "integer", "fraction"):
        for response in (Response.SLVERR, Response.DECERR):
            before = {kind: total.sum for kind, total in bench.errors.items()}
            norm = bench.place(n=20, b=7, words=True, operands=True)
            bench.memory.faults = {norm.fields[f"{name}_address"]: response}
            await bench.begin(norm)
            assert await bench.end() == ["done"]
            kind = "read_error" if name in ("x", "y", "scales") else "write_error"
            before[kind] += 1
            assert {kind: total.sum for kind, total in bench.errors.items()} == before
            bench.memory.faults = {}
    await bench.check(bench.place())


@cocotb.test()
async def resets(dut):
    """At any moment; the next norm is right."""
    bench = Bench(dut, "erratic")
    await bench.start()
    for _ in range(12):
        await bench.begin(bench.place(rows=3, n=int(bench.numbers.integers(2, 40))))
        await bench.steps(bench.rng.randrange(700))
        await bench.reset()
        await bench.check(bench.place(rows=2, n=int(bench.numbers.integers(2, 40))))


@pytest.mark.parametrize("bus", WIDTHS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_norm_lane(simulator, bus):
    simulate(NormLane(params_of(bus)), __name__, simulator, name=f"norm_lane_{bus}", plusenv={"HDP_BUS": str(bus)})
