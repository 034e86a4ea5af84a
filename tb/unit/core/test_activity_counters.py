"""ActivityCounters: every clock cycle is counted where it belongs, and nowhere else."""

import cocotb

from hdp_hw.rtl.core.activity_counters import ActivityCounters
from hdp_hw.spec.params import ArrayMode
from tb.lib.simulation import simulate
from tb.unit.block_bench import bench_rng
from tb.unit.core.control_bench import Script


@cocotb.test()
async def cycles(dut):
    """Heads inside or not, all modes, with pauses."""
    rng, script = bench_rng(), Script()
    counts = dict.fromkeys(("cycles", *(mode.name.lower() for mode in ArrayMode)), 0)
    for _ in range(500):
        inside, valid, mode = int(rng.integers(0, 2)), int(rng.integers(0, 2)), ArrayMode(int(rng.integers(0, 4)))
        counted = {f"o_counters_{name}": count for name, count in counts.items()}
        script.cycle({"i_inside": inside, "i_valid": valid, "i_mode": int(mode)}, counted)
        counts["cycles"] += inside
        counts[mode.name.lower()] += valid
    assert all(counts.values())
    await script.play(dut)


def test_activity_counters(simulator):
    simulate(ActivityCounters(), __name__, simulator, name="activity_counters")
