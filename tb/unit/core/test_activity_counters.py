"""ActivityCounters: every clock cycle is counted where it belongs, and nowhere else."""

import cocotb

from hdp_hw.rtl.core.activity_counters import ActivityCounters
from hdp_hw.spec.params import ArrayMode
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.core.control_bench import Script


@cocotb.test()
async def cycles(dut):
    """Heads inside or not, all modes, with pauses."""
    rng, script = bench_rng(), Script()
    counts = dict.fromkeys(("cycles", *(mode.name.lower() for mode in ArrayMode)), 0)
    modes = [mode for mode in ArrayMode if mode != ArrayMode.CROSS or not PARAMS.exact]
    for _ in range(500):
        inside, valid, mode = int(rng.integers(0, 2)), int(rng.integers(0, 2)), ArrayMode(rng.choice(modes))
        counted = {f"o_counters_{name}": count for name, count in counts.items()}
        script.cycle({"i_inside": inside, "i_valid": valid, "i_mode": int(mode)}, counted)
        counts["cycles"] += inside
        counts[mode.name.lower()] += valid
    assert all(counts[mode.name.lower()] for mode in modes)
    await script.play(dut)


@on_cores()
def test_activity_counters(simulator, core):
    run(ActivityCounters(CORES[core]), __name__, simulator, core)
