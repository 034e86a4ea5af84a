"""BlockRows against golden.bits.pruning.geometry.existing_blocks."""

import cocotb

from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.spec.settings import HeadSettings
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run


@cocotb.test()
@cocotb.parametrize(busy=[0, 0.6])
async def heads(dut, busy):
    """All lengths up to two tiles, the longest, and random heads; beats not taken for a while stay."""
    rng, tile, longest = bench_rng(), PARAMS.tile, PARAMS.max_seq_len
    short = range(1, 2 * tile + 1)
    lengths = [(n_q, n_k) for n_q in short for n_k in short]
    lengths += [(longest, longest), (longest - 1, 1), (1, longest), (longest, longest - tile - 1)]
    lengths += [tuple(rng.integers(1, 6 * tile, 2).tolist()) for _ in range(12)]
    ready = rng.random(20_000) >= busy
    held = {cycle: {"o_ready": int(value)} for cycle, value in enumerate(ready)}
    starts, beats, cycle = {}, {}, 3
    for n_q, n_k in lengths:
        for causal in (0, 1):
            starts[cycle] = {}
            held[cycle] |= {"i_n_q": n_q, "i_n_k": n_k, "i_causal": causal}
            blocks = existing_blocks(HeadSettings(n_q, n_k, PARAMS.slice_width, causal=causal), tile)
            for row, n_blocks in enumerate(blocks):
                cycle += BlockRows.latency
                offered = {"o_row": row, "o_n_blocks": n_blocks, "o_last": row == len(blocks) - 1}
                beats[cycle] = offered
                while not ready[cycle]:
                    cycle += 1
                    beats[cycle] = offered
            cycle += int(rng.integers(1, 4))
    held = {c: ports for c, ports in held.items() if c <= cycle}
    await play(dut, {"i_start": starts}, held, {"o_valid": beats})


@on_cores()
def test_block_rows(simulator, core):
    run(BlockRows(CORES[core]), __name__, simulator, core)
