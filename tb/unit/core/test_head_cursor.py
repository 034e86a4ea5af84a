"""HeadCursor: heads leave a stage in the order of the table's entries, whenever they may."""

import cocotb

from hdp_hw.rtl.core.head_cursor import HeadCursor
from hdp_hw.spec.formats import HEADS_INSIDE
from tb.unit.block_bench import CORES, bench_rng, on_cores, run
from tb.unit.core.control_bench import Script, entry_bits, flat, random_entry


@cocotb.test()
@cocotb.parametrize(haste=[0.9, 0.4])
async def heads(dut, haste):
    """Entries become ready, leave and are given back with this probability."""
    rng, script = bench_rng(), Script()
    head, left, ready, n_left = 0, 0, 0, 0
    inside = []  # entries from their becoming ready to their being given back, the oldest first
    entries = [random_entry(rng) for _ in range(HEADS_INSIDE)]
    for _ in range(600):
        new = (inside[-1] + 1) % HEADS_INSIDE if inside else head
        if len(inside) < HEADS_INSIDE and rng.random() < haste:
            inside.append(new)
            entries[new] = random_entry(rng)
            ready |= 1 << new
        waiting = (ready & ~left) >> head & 1
        leaves = int(waiting and rng.random() < haste)
        oldest = 1 << inside[0] if inside else 0
        retired = oldest if left & oldest and rng.random() < haste else 0
        leaving = leaves << head
        script.cycle(
            {"i_entries": entry_bits(entries), "i_ready": ready, "i_leaves": leaves, "i_retired": retired},
            {
                "o_head": head,
                "o_place": 1 << head,
                "o_waiting": waiting,
                "o_leaves": leaving,
                "o_left": left,
                **flat("o_entry", entries[head]),
            },
        )
        left = (left | leaving) & ~retired
        ready &= ~retired
        if retired:
            inside.pop(0)
        if leaves:
            head, n_left = (head + 1) % HEADS_INSIDE, n_left + 1
    assert n_left > 50
    await script.play(dut)


@on_cores()
def test_head_cursor(simulator, core):
    run(HeadCursor(CORES[core]), __name__, simulator, core)
