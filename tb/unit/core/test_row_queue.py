"""RowQueue: rows leave as they came, none is lost or doubled, whatever the pace on either side."""

from collections import deque

import cocotb

from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.row_queue import RowQueue
from hdp_hw.spec.timing import QUEUE_DEPTH
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run


def random_job(rng):
    return {name: int(rng.integers(0, 1 << field.width)) for name, field in row_job_layout(PARAMS)}


@cocotb.test()
@cocotb.parametrize((("offers", "takes"), [(1, 1), (0.9, 0.4), (0.4, 0.9), (0.6, 0.6), (1, 0.1)]))
async def rows(dut, offers, takes):
    """Rows are offered, and taken, with these probabilities."""
    rng, inside, offered = bench_rng(), deque(), None
    held, expected, levels = {}, {"i_ready": {}, "o_valid": {}}, set()
    for cycle in range(1000):
        held[cycle] = inputs = {"o_ready": int(rng.random() < takes)}
        if not offered and rng.random() < offers:
            offered = random_job(rng)
            inputs |= {f"i_{name}": value for name, value in offered.items()}
        inputs["i_valid"] = int(offered is not None)
        levels.add(len(inside))
        ready = len(inside) < QUEUE_DEPTH
        if ready:
            expected["i_ready"][cycle] = {}
        if inside:
            expected["o_valid"][cycle] = {f"o_{name}": value for name, value in inside[0].items()}
            if inputs["o_ready"]:
                inside.popleft()
        if ready and offered:
            inside.append(offered)
            offered = None
    assert len(levels) > 1
    await play(dut, {}, held, expected, idle=0)


@on_cores()
def test_row_queue(simulator, core):
    run(RowQueue(CORES[core]), __name__, simulator, core)
