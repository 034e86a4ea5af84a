"""Counters: each adds up its own increments; clearing is exact to the clock cycle. (Overflow: see tb/formal.)"""

from collections import Counter

import cocotb
import pytest

from hdp_hw.rtl.shell.counters import Counters
from hdp_hw.rtl.shell.register_bank import counter_layout
from tb.lib.play import play
from tb.lib.simulation import SIMULATORS, simulate
from tb.unit.block_bench import bench_rng

NAMES = [name for name, _ in counter_layout()]
N_CYCLES = 400


@cocotb.test()
async def increments(dut):
    """Large and small ones, and clears now and then: an increment from the clock cycle of a clear on counts."""
    rng = bench_rng()
    held, values, counts, before = {}, {}, Counter(), {}
    for cycle in range(N_CYCLES):
        grow = {name: int(rng.choice([0, 1, 0xFFFF_FFFF, rng.integers(0, 1 << 32)])) for name in NAMES}
        clear = int(rng.random() < 0.03)
        held[cycle] = {f"i_{name}": n for name, n in grow.items()} | {"i_clear": clear}
        counts = Counter() if clear else counts + Counter(before)
        values[cycle + 1] = {f"o_{name}": counts[name] for name in NAMES} | {"o_overflow": 0}
        before = grow
    assert max(max(each.values()) for each in values.values()) > 1 << 36  # the high words take part
    await play(dut, {}, held, {}, values)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_counters(simulator):
    simulate(Counters(), __name__, simulator, name="counters")
