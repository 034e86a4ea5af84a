"""Geometry against golden.bits.pruning.geometry.valid_elements."""

import cocotb

from hdp_hw.golden.bits.pruning.geometry import tiles_of, valid_elements
from hdp_hw.rtl.pruning.geometry import Geometry
from hdp_hw.spec.settings import HeadSettings
from tb.lib.lockstep import lockstep
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run


def tiles(n_q, n_k, causal):
    """``(inputs, expected)`` of all tiles of a head."""
    settings = HeadSettings(n_q, n_k, PARAMS.slice_width, causal=causal)
    elements = tiles_of(valid_elements(settings, PARAMS.tile), PARAMS.tile)
    for row in range(elements.shape[0]):
        for column in range(elements.shape[1]):
            inputs = {"row": row, "column": column, "n_q": n_q, "n_k": n_k, "causal": causal}
            yield inputs, {"elements": elements[row, column]}


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def heads(dut, gaps):
    """All lengths up to two tiles, all remainders at the longest, and random heads; their tiles in any order."""
    rng, longest, tile = bench_rng(), PARAMS.max_seq_len, PARAMS.tile
    short = range(1, 2 * tile + 1)
    lengths = [(n_q, n_k) for n_q in short for n_k in short]
    lengths += [(longest - n, m) for n in range(tile) for m in (1, tile + 1)]
    lengths += [(m, longest - n) for n in range(tile) for m in (1, tile + 1)]
    lengths += [tuple(rng.integers(1, 6 * tile, 2).tolist()) for _ in range(12)]
    items = [item for n_q, n_k in lengths for causal in (0, 1) for item in tiles(n_q, n_k, causal)]
    inputs, expected = zip(*(items[i] for i in rng.permutation(len(items))))
    await lockstep(dut, inputs, expected, Geometry.latency, gaps)


@on_cores()
def test_geometry(simulator, core):
    run(Geometry(CORES[core]), __name__, simulator, core)
