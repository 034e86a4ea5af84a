"""NormPacker against golden.bits.shell.norm_lane, and its clock cycles against golden.cycles.shell.norm_packer."""

import os

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.norm_lane import written_rows
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.shell.norm_packer import NormPacker as Cycles
from hdp_hw.rtl.shell.norm_packer import NormPacker
from hdp_hw.spec.encoder import OPERAND_MAX
from hdp_hw.spec.params import HdpParams
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import SIMULATORS, simulate
from tb.unit.block_bench import bench_rng, signed_integers

WIDTHS = (32, 64, 128)  #: of the bus


def params_of(bus_width):
    return HdpParams(2, 16, max_head_dim=16, max_seq_len=32, multiplier=18, encoder=1, bus_width=bus_width)


PARAMS = params_of(int(os.environ.get("HDP_BUS", "64")))  #: of the block under test, on the simulator's side


class Rows:
    """Rows of results, and the bus words that they become."""

    def __init__(self, rng, n, n_rows, words, operands):
        self.n, self.words, self.operands = n, words, operands
        results = signed_integers(rng, (n_rows, n), 16), rng.integers(-OPERAND_MAX, OPERAND_MAX + 1, (n_rows, n))
        self.results = [(*pair, index == n - 1) for row in zip(*results) for index, pair in enumerate(zip(*row))]
        rows = written_rows({"features": n, "words": words, "operands": operands}, *results, PARAMS)
        lines = b"".join(content for row in zip(*rows.values()) for content in row)
        self.expected = np.frombuffer(lines, np.uint8).reshape(-1, PARAMS.bus_bytes)


async def play(dut, rng, rows, gives, takes):
    """Clock cycles in which results were taken and bus words left; gives, takes : probability that a side is ready."""
    dut.i_words.value, dut.i_operands.value = int(rows.words), int(rows.operands)
    taken, left, cycle, offered = [], [], 0, False
    while len(left) < len(rows.expected) or len(taken) < len(rows.results):
        offered = len(taken) < len(rows.results) and (offered or rng.random() < gives)
        dut.i_valid.value = int(offered)
        if offered:
            word, operand, last = rows.results[len(taken)]
            dut.i_word.value, dut.i_operand.value, dut.i_last.value = pack(word, 16), pack(operand, 8), int(last)
        dut.o_ready.value = ready = int(rng.random() < takes)
        await RisingEdge(dut.aclk)
        if offered and read(dut.i_ready, "i_ready"):
            taken.append(cycle)
            offered = False
        if ready and read(dut.o_valid, "o_valid"):
            assert len(left) < len(rows.expected), "a bus word too many"
            word = read(dut.o_payload, "o").to_bytes(PARAMS.bus_bytes, "little")
            assert word == rows.expected[len(left)].tobytes(), f"bus word {len(left)} of rows of {rows.n}"
            left.append(cycle)
        cycle += 1
        assert cycle < 100_000
    dut.i_valid.value = 0
    for _ in range(PARAMS.bus_width):  # zeros behind the last row
        await RisingEdge(dut.aclk)
        assert not read(dut.o_valid, "o_valid"), "a bus word too many"
    return taken, left


class Ends:
    """Norm and writer that never wait, and the clock cycles in which results were taken and bus words left."""

    def __init__(self, clock, rows):
        self.clock, self.n, self.taken, self.left = clock, rows.n, [], []
        self.results = [last for *_, last in rows.results]

    def pop(self):
        self.taken.append(self.clock.now)
        return self.results.pop(0)

    def beat_taken(self):
        self.left.append(self.clock.now)
        return True

    def look(self):
        if self.results:
            self.clock.wake(1)


def golden_cycles(rows):
    clock = Clock()
    ends = Ends(clock, rows)
    clock.blocks = [Cycles(clock, PARAMS, ends, ends, rows.words, rows.operands), ends]
    clock.run()
    return ends.taken, ends.left


@cocotb.test()
@cocotb.parametrize(gives=[1, 0.5], takes=[1, 0.2])
async def rows(dut, gives, takes):
    """Of every length around those of bus words, with either or both of the results."""
    rng = bench_rng()
    await start(dut)
    most, digits = PARAMS.max_features, PARAMS.bus_width // 4
    lengths = {2, 3, digits - 1, digits, digits + 1, most - 1, most, *rng.integers(2, most + 1, 4)}
    for n in map(int, sorted(lengths)):
        for written in ((True, True), (True, False), (False, True)):
            job = Rows(rng, n, 3, *written)
            cycles = await play(dut, rng, job, gives, takes)
            if gives == takes == 1:
                assert cycles == golden_cycles(job), f"rows of {n}, {written}"


@pytest.mark.parametrize("bus", WIDTHS)
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_norm_packer(simulator, bus):
    simulate(NormPacker(params_of(bus)), __name__, simulator, name=f"norm_packer_{bus}", plusenv={"HDP_BUS": str(bus)})
