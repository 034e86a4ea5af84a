"""PlaneSplitter against golden.bits.shell.planes, and its clock cycles against golden.cycles.shell.plane_splitter."""

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.shell.planes import digit_rows
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.shell.plane_splitter import PlaneSplitter as Cycles
from hdp_hw.rtl.shell.plane_splitter import PlaneSplitter
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import SIMULATORS
from tb.unit.block_bench import CORES, PARAMS, bench_rng, run, signed_integers

LANES = PARAMS.out_lanes


class Head:
    """A head: rows of operands, and what leaves of them, ``[(bytes, last)]``."""

    def __init__(self, rng):
        self.planes = bool(rng.integers(2))
        self.beats = int(rng.integers(1, PARAMS.max_head_dim // PARAMS.slice_width + 1)) * PARAMS.slice_width // LANES
        self.rows = signed_integers(rng, (int(rng.integers(1, 6)), self.beats * LANES), PARAMS.operand_width)
        out = [self.rows]
        if self.planes:
            out = digit_rows(self.rows, PARAMS)
        self.taken = self._beats([self.rows])
        self.left = self._beats(out)

    @staticmethod
    def _beats(parts):
        beats = [pack(beat, 8 * LANES) for row in zip(*parts) for part in row for beat in part.reshape(-1, LANES)]
        return [(beat, int(index == len(beats) - 1)) for index, beat in enumerate(beats)]


async def play(dut, heads, takes, gives):
    """Clock cycles in which beats were taken and left; takes, gives : probability that sink and source are ready."""
    rng = bench_rng()
    await start(dut)
    commands = [{"planes": int(head.planes), "beats": head.beats} for head in heads]
    beats, expected = [beat for head in heads for beat in head.taken], [beat for head in heads for beat in head.left]
    taken, left, cycle, offered = [], [], 0, False
    while len(left) < len(expected):
        offered = bool(beats) and (offered or rng.random() < gives)
        for name, values in (("i_head", commands), ("i", [dict(zip(("data", "last"), beats[0]))] if offered else [])):
            getattr(dut, f"{name}_valid").value = int(bool(values))
            for field, value in (values[0] if values else {}).items():
                getattr(dut, f"{name}_{field}").value = value
        dut.o_ready.value = int(rng.random() < takes)
        await RisingEdge(dut.aclk)
        if offered and read(dut.i_ready, "i_ready"):
            assert commands, "a beat was taken without its head"
            beats.pop(0)
            taken.append(cycle)
            offered = False
        if commands and read(dut.i_head_ready, "i_head_ready"):
            commands.pop(0)
        if read(dut.o_valid, "o_valid") and read(dut.o_ready, "o_ready"):
            assert (read(dut.o_data, "o_data"), read(dut.o_last, "o_last")) == expected[len(left)], len(left)
            left.append(cycle)
        cycle += 1
        assert cycle < 200 * len(expected) + 1000
    assert not commands and not beats
    return taken, left


@cocotb.test()
@cocotb.parametrize(takes=[1.0, 0.4], gives=[1.0, 0.4])
async def rows(dut, takes, gives):
    rng = bench_rng()
    await play(dut, [Head(rng) for _ in range(40)], takes, gives)


class Sink:
    """A writer that takes every beat."""

    def __init__(self, clock):
        self.clock, self.cycles = clock, []

    def beat_taken(self):
        self.cycles.append(self.clock.now)
        return True


class Source:
    """Offers a beat in every clock cycle."""

    def __init__(self, clock, splitter, n):
        self.clock, self.splitter, self.n, self.cycles = clock, splitter, n, []

    def look(self):
        if self.n and self.splitter.beat_taken():
            self.n -= 1
            self.cycles.append(self.clock.now)
        if self.n:
            self.clock.wake(1)


@cocotb.test()
async def cycles(dut):
    """In what clock cycles beats are taken and leave, where neither side waits."""
    rng = bench_rng()
    heads = [Head(rng) for _ in range(40)]
    clock = Clock()
    sink = Sink(clock)
    model = Cycles(clock, PARAMS, sink)
    model.heads.extend((head.planes, head.beats, len(head.rows)) for head in heads)
    source = Source(clock, model, sum(len(head.taken) for head in heads))
    clock.blocks = [model, source]
    clock.run()
    assert await play(dut, heads, 1.0, 1.0) == (source.cycles, sink.cycles)


@pytest.mark.parametrize("core", ["encoder", "wide_encoder", "narrow_encoder"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_plane_splitter(simulator, core):
    run(PlaneSplitter(CORES[core]), __name__, simulator, core)
