"""Words of the mask, against the bits that went in."""

import cocotb

from hdp_hw.rtl.pruning.mask_packer import MaskPacker
from tb.lib.play import play
from tb.unit.pruning.pruning_bench import (
    bench_latency,
    bench_params,
    bench_rng,
    on_every_run_and_largest_tile,
    run_bench,
)


@cocotb.test()
async def words(dut):
    params, rng, latency = bench_params(), bench_rng(), bench_latency()
    word = params.mask_word
    blocks, expected, cycle = {}, {}, 0
    longest = params.max_blocks
    lengths = [1, word, min(longest, word + 1), longest, *rng.integers(1, longest + 1, 12)]
    for row, length in enumerate(lengths):
        row %= longest
        mask = 0
        for column in range(int(length)):
            cycle += int(rng.choice([1, 1, 1, 2]))
            keep, last = int(rng.integers(0, 2)), column == length - 1
            blocks[cycle] = {"i_row": row, "i_column": column, "i_keep": keep, "i_last": last}
            mask |= keep << (column % word)
            if last or column % word == word - 1:
                index = column // word
                expected[cycle + latency] = {"o_row": row, "o_index": index, "o_mask": mask, "o_last": last}
                mask = 0
    await play(dut, {"i_valid": blocks}, {}, {"o_valid": expected})


@on_every_run_and_largest_tile
def test_mask_packer(simulator, config):
    run_bench(MaskPacker, __name__, simulator, config)
