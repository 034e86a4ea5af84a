"""TileArray against golden.bits.array.tile_array, on the operands of whole tiles and rows."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.array.tile_array import context, integer_scores, scores, value_sums
from hdp_hw.golden.bits.digits import split
from hdp_hw.rtl.array.tile_array import TileArray
from hdp_hw.spec.params import ArrayMode
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers

TILE, LANES, W = PARAMS.tile, PARAMS.lanes, PARAMS.digit_width


def words(x, width):
    """The digit planes (I, F) of operands [rows, d], in words [rows, words, width]; zero beyond d."""
    rows, d = x.shape
    padded = np.zeros((rows, -(-d // width) * width), np.int64)
    padded[:, :d] = x
    return [plane.reshape(rows, -1, width) for plane in split(padded, W)]


def score_tile(rng, kind, d):
    """``(micro-operations, expected scores)`` of a tile: INTEGER alone; as kept blocks are scored; FULL."""
    q, k = signed_integers(rng, (2, TILE, d), PARAMS.operand_width)
    sparse = "FULL" if PARAMS.exact else "INTEGER CROSS"
    modes = {"predict": "INTEGER", "sparse": sparse, "full": "FULL"}[kind].split()
    cycles = {"INTEGER": PARAMS.integer_cycles(d), "CROSS": PARAMS.cross_cycles(d), "FULL": PARAMS.slices(d)}
    parts = {"INTEGER": 1, "CROSS": 2, "FULL": 4}  # of a word, one a cycle
    planes = dict(zip(("q_integer", "q_fraction", "k_integer", "k_fraction"), words(q, LANES) + words(k, LANES)))
    ops = [
        {"i_mode": ArrayMode[mode], "i_phase": cycle % 4}
        | {f"i_{name}": plane[:, cycle // parts[mode]] for name, plane in planes.items()}
        for mode in modes
        for cycle in range(cycles[mode])
    ]
    if kind == "predict":
        return _bounded(ops), integer_scores(q, k, W) << PARAMS.integer_shift
    expected = scores(q, k, W, kind == "full" or PARAMS.exact)
    return _bounded(ops), expected


def context_slice(rng, n_keys, index):
    """``(micro-operations, expected sums, expected sum of V)`` of slice ``index`` of a block row of ``n_keys`` keys."""
    n_tiles = -(-n_keys // TILE)
    exists = np.arange(n_tiles * TILE) < n_keys
    v = signed_integers(rng, (n_tiles * TILE, LANES // 2), PARAMS.operand_width)  # a word, of which a half counts
    p = rng.integers(0, PARAMS.digit_max + 1, (TILE, len(v)))
    p = np.where(exists, np.where(rng.random(p.shape) < 0.3, PARAMS.digit_max, p), 0)
    integer, fraction = split(v, W)
    weight_integer, weight_fraction = split(p, W)
    ops = []
    for tile in range(n_tiles):
        keys = slice(tile * TILE, (tile + 1) * TILE)
        ops.append(
            {
                "i_mode": ArrayMode.CONTEXT,
                "i_phase": index % 4,
                "i_columns": sum(int(bit) << c for c, bit in enumerate(exists[keys])),
                "i_value": np.stack([fraction[keys], integer[keys]], -1),
                "i_weight": np.stack([weight_fraction[:, keys], weight_integer[:, keys]], -1),
            }
        )
    half = v[:, PARAMS.slice_width * (index % 2) :][:, : PARAMS.slice_width]
    return _bounded(ops), context(p, half, W), value_sums(exists[None], half, W)[0]


def _bounded(ops):
    return [op | {"i_first": n == 0, "i_last": n == len(ops) - 1} for n, op in enumerate(ops)]


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def interleaved(dut, gaps):
    """Tiles and slices in any order; scores and context, accumulated apart, take turns at random in mid-sum."""
    rng, array = bench_rng(), TileArray(PARAMS)
    tiles, slices = [], []
    for n in range(45):
        d = int(rng.integers(1, PARAMS.max_slices + 1)) * PARAMS.slice_width if n > 3 else PARAMS.max_head_dim
        tiles.append(score_tile(rng, ("predict", "sparse", "full")[n % 3], d))
        n_keys = PARAMS.max_seq_len if n == 0 else int(rng.integers(1, 5 * TILE))
        slices.append(context_slice(rng, n_keys, n))
    pending = [[(op, *rest) for ops, *rest in jobs for op in ops] for jobs in (tiles, slices)]
    turns = rng.permutation([0] * len(pending[0]) + [1] * len(pending[1]))
    pending = [iter(ops) for ops in pending]
    cycle, beats, ahead, of_scores, of_context = 0, {}, {}, {}, {}
    names = "i_columns i_value i_weight i_q_integer i_q_fraction i_k_integer i_k_fraction"
    junk = {name: len(getattr(dut, name)) for name in names.split()}  # where a mode does not look
    for turn in turns:
        cycle += int(rng.integers(1, 3)) if gaps else 1
        op, *expected = next(pending[turn])
        ahead[cycle - 1] = {name: op.pop(name) for name in ("i_mode", "i_phase")}
        beats[cycle] = {name: int.from_bytes(rng.bytes(-(-n // 8)), "little") for name, n in junk.items()} | op
        if op["i_last"] and turn == 0:
            of_scores[cycle + array.score_latency] = {"o_scores": expected[0]}
        elif op["i_last"]:
            of_context[cycle + array.context_latency] = {"o_context": expected[0], "o_value_sum": expected[1]}
    assert len(of_scores) == len(of_context) == 45
    await play(dut, {"i_valid": beats}, ahead, {"o_scores_valid": of_scores, "o_context_valid": of_context})


@on_cores("narrow", "packed", "packed_narrow", "encoder")
def test_tile_array(simulator, core):
    run(TileArray(CORES[core]), __name__, simulator, core)
