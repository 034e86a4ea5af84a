"""What the benches of the readers in hdp_hw/rtl/shell share."""

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.spec.params import HdpParams
from tb.lib.axi_memory import IDEAL, Memory, ReadTiming
from tb.lib.lockstep import read
from tb.lib.simulation import SIMULATORS, simulate

#: (lanes, digit_width) by the width of a word
WORDS = {16: (4, 4), 64: (16, 4), 512: (64, 8)}


def params_of(word_width, bus_width, encoder=0):
    """Parameters with a word and a bus of these widths; with ``encoder``, rows may be those of a linear layer."""
    lanes, digit_width = WORDS[word_width]
    kind = {"multiplier": 18 * encoder, "encoder": encoder}
    return HdpParams(lanes=lanes, digit_width=digit_width, max_head_dim=64, bus_width=bus_width, n_cores=2, **kind)


PARAMS = params_of(*map(int, os.environ.get("HDP_WIDTHS", "64,64").split(",")))  #: of the block under test

#: memories: ideal ones, slow ones, and ones that stall and mix
TIMINGS = {
    "ideal": IDEAL,
    "slow": ReadTiming(latency=40),
    "erratic": ReadTiming(latency=(1, 60), ar_stall=0.4, r_stall=0.4, reorder=True),
    "mixing": ReadTiming(latency=(1, 30), ar_stall=0.1, r_stall=0.1, interleave=True),
}


def on_widths(*widths, more=()):
    """Parametrizes a test by ``simulator`` and ``widths``, of a word and of the bus; ``more``, slow, for Verilator."""
    runs = [(simulator, pair) for pair in widths for simulator in SIMULATORS]
    slow = [pytest.param("verilator", pair, marks=pytest.mark.slow) for pair in more]
    ids = [f"{simulator}-{word}-{bus}" for simulator, (word, bus) in [*runs, *(param.values for param in slow)]]
    return pytest.mark.parametrize("simulator, widths", [*runs, *slow], ids=ids)


def run(component, test_module, simulator, widths):
    """Simulate a block against the cocotb tests of ``test_module``."""
    name = "_".join(map(str, (test_module.rpartition(".test_")[2], *widths)))
    simulate(component, test_module, simulator, name=name, plusenv={"HDP_WIDTHS": ",".join(map(str, widths))})


def bench_rng():
    """Python's random numbers, from cocotb's seed."""
    return random.Random(cocotb.RANDOM_SEED)


def random_memory(rng, size, base=0):
    """Memory of random bytes."""
    memory = Memory(size, base)
    memory.data[:] = rng.randbytes(size)
    return memory


def now():
    """Number of the current clock cycle."""
    return int(cocotb.simtime.get_sim_time("ns")) // 10


class Source:
    """Offers items, ``{field: value}``, on a stream; ``taken`` lists the clock cycles in which they were taken."""

    def __init__(self, dut, prefix, items, rng, idle=0.0):
        self.dut, self.prefix, self.items, self.rng, self.idle = dut, prefix, list(items), rng, idle
        self.taken = []

    async def run(self):
        """Until all are taken."""
        dut, prefix, rng = self.dut, self.prefix, self.rng
        valid, ready = getattr(dut, f"{prefix}_valid"), getattr(dut, f"{prefix}_ready")
        fields = {name: getattr(dut, f"{prefix}_{name}") for name in self.items[0]}
        for item in self.items:
            while rng.random() < self.idle:
                for signal in fields.values():
                    signal.value = rng.getrandbits(len(signal))
                await RisingEdge(dut.aclk)
            valid.value = 1
            for name, signal in fields.items():
                signal.value = item[name]
            while True:
                await RisingEdge(dut.aclk)
                if read(ready, f"{prefix}_ready"):
                    break
            self.taken.append(now())
            valid.value = 0


class Sink:
    """Takes what comes on a stream, for ever: ``beats`` are tuples of the fields, ``cycles`` when they were taken."""

    def __init__(self, dut, prefix, fields, rng, busy=0.0):
        self.dut, self.prefix, self.fields, self.rng, self.busy = dut, prefix, fields, rng, busy
        self.beats, self.cycles = [], []

    async def run(self):
        dut, prefix, rng = self.dut, self.prefix, self.rng
        valid, ready = getattr(dut, f"{prefix}_valid"), getattr(dut, f"{prefix}_ready")
        signals = {name: getattr(dut, f"{prefix}_{name}") for name in self.fields}
        held, refuse = None, 0
        while True:
            if refuse:
                refuse -= 1
            elif self.busy and rng.random() < 0.002:  # now and then for long
                refuse = 300
            takes = not refuse and rng.random() >= self.busy
            ready.value = int(takes)
            await RisingEdge(dut.aclk)
            if not read(valid, f"{prefix}_valid"):
                assert held is None, f"{prefix} was withdrawn while it was stalled"
                continue
            beat = tuple(read(signal, f"{prefix}_{name}") for name, signal in signals.items())
            assert held in (None, beat), f"{prefix} changed while it was stalled"
            held = None if takes else beat
            if takes:
                self.beats.append(beat)
                self.cycles.append(now())

    async def reach(self, n, timeout):
        """Wait until ``n`` beats have come; AssertionError after ``timeout`` clock cycles."""
        for _ in range(timeout):
            if len(self.beats) >= n:
                break
            await RisingEdge(self.dut.aclk)
        assert len(self.beats) >= n, f"{len(self.beats)} of {n} beats of {self.prefix} in {timeout} clock cycles"

    async def collect(self, n, timeout):
        """As :meth:`reach`; AssertionError if more come, too."""
        await self.reach(n, timeout)
        for _ in range(50):
            await RisingEdge(self.dut.aclk)
        assert len(self.beats) == n, f"{len(self.beats) - n} beats of {self.prefix} too many"


class Total:
    """Sum over the clock cycles of an output."""

    def __init__(self, dut, name):
        self.dut, self.name, self.sum = dut, name, 0

    async def run(self):
        signal = getattr(self.dut, self.name)
        while True:
            await RisingEdge(self.dut.aclk)
            self.sum += read(signal, self.name)
