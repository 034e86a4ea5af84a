"""Queue against golden.cycles.clock: payloads leave as they came, in their cycles, whatever the pace on either side."""

import os

import cocotb
import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hdp_hw.golden.cycles import clock
from hdp_hw.rtl.common.queue import Queue
from tb.lib.play import play
from tb.lib.simulation import simulate

LAYOUT = data.StructLayout({"word": unsigned(7), "offset": signed(3)})
BUFFERED, DEPTH = bool(os.environ.get("HDP_BUFFERED")), int(os.environ.get("HDP_DEPTH", "4"))
KINDS = {"": {}, "buffered": {"buffered": True}, "separate": {"buffered": True, "separate": True}}
KINDS |= {"registered": {"registered": True}}
SHAPES = [*((depth, "") for depth in (1, 5, 8)), *((depth, kind) for depth in (2, 9) for kind in [*KINDS][1:])]


class Script:
    """A source and a sink that are there with these probabilities, and what the golden queue does between them."""

    def __init__(self, rng, offers, takes, n_cycles=800):
        self.rng, self.offers, self.takes, self.n_cycles = rng, offers, takes, n_cycles
        self.clock = clock.Clock()
        self.queue = (clock.BufferedQueue if BUFFERED else clock.Queue)(self.clock, DEPTH)
        self.offered, self.held, self.values = None, {}, {}
        self.expected = {"i_ready": {}, "o_valid": {}}
        self.clock.blocks.append(self)
        self.clock.run()

    def look(self):
        """One clock cycle."""
        cycle, queue, rng = self.clock.now, self.queue, self.rng
        if cycle >= self.n_cycles:
            return
        takes = rng.random() < self.takes
        inputs = self.held[cycle] = {"o_ready": int(takes)}
        if not self.offered and rng.random() < self.offers:
            self.offered = {"word": int(rng.integers(1 << 7)), "offset": int(rng.integers(-4, 4))}
            inputs |= {f"i_{name}": value for name, value in self.offered.items()}
        inputs["i_valid"] = int(self.offered is not None)
        self.values[cycle] = {"o_level": queue.level}
        if not queue.full:
            self.expected["i_ready"][cycle] = {}
        if queue.head:
            self.expected["o_valid"][cycle] = {f"o_{name}": value for name, value in queue.head.items()}
        room = not queue.full
        if takes and queue.head:
            queue.pop()
        if room and self.offered:
            queue.push(self.offered)
            self.offered = None
        self.clock.at(1, lambda: None)


@cocotb.test()
@cocotb.parametrize((("offers", "takes"), [(1, 1), (0.9, 0.4), (0.4, 0.9), (0.6, 0.6), (1, 0.1), (0.1, 1)]))
async def payloads(dut, offers, takes):
    script = Script(np.random.default_rng(cocotb.RANDOM_SEED), offers, takes)
    if offers > takes:
        assert {value["o_level"] for value in script.values.values()} == set(range(DEPTH + 1))
    await play(dut, {}, script.held, script.expected, script.values, idle=0)


@pytest.mark.parametrize(("depth", "kind"), SHAPES)
def test_queue(simulator, depth, kind):
    queue = Queue(LAYOUT, depth, **KINDS[kind])
    environment = {"HDP_DEPTH": str(depth), "HDP_BUFFERED": "1" if queue.buffered else ""}
    simulate(queue, __name__, simulator, name=f"queue_{depth}{kind and '_' + kind}", plusenv=environment)
