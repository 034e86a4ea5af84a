"""PrunedMeans against golden.bits.core.pruned_means."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.core.pruned_means import pruned_means
from hdp_hw.rtl.core.pruned_means import PrunedMeans
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

TILE = PARAMS.tile


def row(rng, index):
    """``(inputs, expected)`` of a row: no key pruned, all, any number; A extreme or random."""
    n_k = [PARAMS.max_seq_len, 1, TILE, TILE + 1][index] if index < 4 else int(rng.integers(1, PARAMS.max_seq_len + 1))
    n_blocks = -(-n_k // TILE)
    n_kept = int(rng.choice([0, n_blocks, rng.integers(0, n_blocks + 1)]))
    last_kept = int(n_kept == n_blocks or (n_kept > 0 and rng.integers(0, 2)))
    n_pruned = n_k - n_kept * TILE + last_kept * (-n_k % TILE)
    largest = 4 ** (PARAMS.digit_width - 1) * PARAMS.max_head_dim * n_pruned
    sums = rng.integers(-largest, largest + 1, TILE)
    sums = np.where(rng.random(TILE) < 0.2, rng.choice([-largest, largest], TILE), sums)
    mean, number = pruned_means(sums, n_kept, last_kept, n_k, PARAMS)
    assert number == n_pruned
    inputs = {"i_pruned_sum": sums, "i_n_kept_tiles": n_kept, "i_last_kept": last_kept, "i_n_k": n_k}
    return inputs, {"o_mean_mean": mean, "o_mean_n_pruned": number}


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def rows(dut, gaps):
    """Rows of three heads, read back as soon as they are stored, and again at the end."""
    rng, means, cycle = bench_rng(), PrunedMeans(PARAMS), 3
    places = [(head, row) for head in range(3) for row in range(PARAMS.max_blocks)]
    places = [places[i] for i in rng.permutation(len(places))]
    stored, held, reads, beats = {}, {}, {}, {}
    for index in range(200):
        head, block_row = place = places[index % len(places)]
        inputs, expected = row(rng, index)
        beats[cycle] = inputs | {"i_head": head, "i_row": block_row}
        reads[cycle + means.latency] = (place, expected)
        stored[place] = expected
        cycle += TILE + 1 + (int(rng.integers(0, 4)) if gaps else 0)
    cycle += means.latency
    reads |= {cycle + index: item for index, item in enumerate(stored.items())}
    for cycle, ((head, block_row), _) in reads.items():
        held[cycle] = {"i_read_head": head, "i_read_row": block_row}
    values = {cycle + 1: expected for cycle, (_, expected) in reads.items()}
    await play(dut, {"i_valid": beats}, held, {}, values)


@on_cores()
def test_pruned_means(simulator, core):
    run(PrunedMeans(CORES[core]), __name__, simulator, core)
