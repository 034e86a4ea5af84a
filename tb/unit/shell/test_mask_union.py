"""MaskUnion: what any row of a head kept, while up to three other heads have their unions beside it."""

from functools import reduce
from operator import or_

import cocotb

from hdp_hw.rtl.shell.mask_union import MaskUnion
from tb.lib.lockstep import pack
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

N_READERS, N_UNIONS = 2, 4
INDEX_WIDTH = MaskUnion(PARAMS).index_width
READABLE = 3  #: clock cycles after a head's last word


def random_rows(rng):
    """Mask words of a head's rows, none shorter than the one before; or no row at all."""
    lengths = sorted(rng.integers(1, PARAMS.mask_words + 1, rng.integers(0, 6)))
    density = rng.choice([0.0, 0.1, 0.5, 1.0])
    return [[pack(rng.random(PARAMS.mask_word) < density, PARAMS.mask_word) for _ in range(n)] for n in lengths]


def union_of(rows):
    """Words of the union."""
    longest = max(map(len, rows), default=0)
    return [reduce(or_, (row[index] for row in rows if index < len(row))) for index in range(longest)]


@cocotb.test()
@cocotb.parametrize(gaps=[0.0, 0.5])
async def unions(dut, gaps):
    """Heads one after the other; unions are read from both ports as soon and as late as they are there."""
    rng = bench_rng()
    beats, held, values = {"i_valid": {}, "i_head_ends": {}}, {}, {}
    begins, readable, heads = [], [], [random_rows(rng) for _ in range(60)]  # clock cycles of each head
    cycle = 0
    for rows in heads:
        begins.append(cycle)
        for index, word in ((index, word) for row in rows for index, word in enumerate(row)):
            cycle += int(rng.random() < gaps)
            beats["i_valid"][cycle] = {"i_index": index, "i_word": word}
            cycle += 1
        readable.append(cycle - 1 + READABLE)
        cycle -= int(rows != [] and rng.random() < 0.5)  # with the last word, or after it
        beats["i_head_ends"][cycle] = {}
        cycle += 1
    begins += [cycle] * N_UNIONS
    for now in range(cycle):
        there = [h for h, rows in enumerate(heads) if rows and readable[h] <= now < begins[h + N_UNIONS]]
        if there:
            read = [(int(head), union_of(heads[head])) for head in rng.choice(there, N_READERS)]
            indices = [int(rng.integers(0, len(union))) for _, union in read]
            held[now] = {"i_read": [h % N_UNIONS << INDEX_WIDTH | i for (h, _), i in zip(read, indices)]}
            values[now + 1] = {"o_word": [union[index] for (_, union), index in zip(read, indices)]}
    assert len(values) > 50
    await play(dut, beats, held, {}, values)


@on_cores("narrow")
def test_mask_union(simulator, core):
    run(MaskUnion(CORES[core], N_READERS), __name__, simulator, core)
