"""ResultRouter against golden.bits.pruning.geometry: results find their way with what belongs to them."""

from types import SimpleNamespace

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.geometry import valid_elements
from hdp_hw.rtl.array.tile_array import TileArray
from hdp_hw.rtl.core.jobs import micro_op_layout
from hdp_hw.rtl.core.result_router import ResultRouter
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ceil_div
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run, signed_integers
from tb.unit.core.control_bench import Script, entry_bits, flat, random_entry, random_fields

TILE = PARAMS.tile


def router(params):
    array = TileArray(params)
    return ResultRouter(params, array.score_latency, array.context_latency)


@cocotb.test()
async def results(dut):
    """A result nearly every clock cycle, of heads causal and not, with lengths that are no multiples of a tile."""
    rng, script, block = bench_rng(), Script(), router(PARAMS)
    n = min(PARAMS.max_seq_len, 5 * TILE)
    lengths = [(n - 1, n, 0), (n, n - 1, 1), (n - TILE - 1, n, 1)]
    entries = [random_entry(rng, n_q, n_k, causal=causal) for n_q, n_k, causal in lengths]
    valid = [valid_elements(SimpleNamespace(**entry["settings"]), TILE) for entry in entries]
    held, ops, slices = {"i_entries": entry_bits(entries)}, [], []
    for cycle in range(600):
        op = random_fields(rng, micro_op_layout(PARAMS)) | {"head": int(rng.integers(0, HEADS_INSIDE))}
        settings = entries[op["head"]]["settings"]
        op["row"] = int(rng.integers(0, ceil_div(settings["n_q"], TILE)))
        column = int(rng.integers(0, ceil_div(settings["n_k"], TILE)))
        ops.append((op, column))
        slices.append((int(rng.integers(0, PARAMS.max_slices)), int(rng.integers(0, 2))))
        scores, scores_valid = signed_integers(rng, (TILE, TILE), PARAMS.s_width), int(rng.random() < 0.8)
        results = {"i_scores": scores, "i_scores_valid": scores_valid}
        stream = {"i_column": column, "i_slice": slices[-1][0], "i_last_slice": slices[-1][1]}
        outputs = {}
        if cycle >= max(block.latency, block.context_latency):
            (op, column), (slice_, last) = ops[-1 - block.latency], slices[-1 - block.context_latency]
            elements = np.array([[valid[op["head"]][op["row"] * TILE + r, column * TILE + c] for c in range(TILE)]
                                 for r in range(TILE)])  # fmt: skip
            outputs = {
                "o_predict_valid": int(scores_valid and op["predict"]),
                "o_softmax_valid": int(scores_valid and not op["predict"]),
                "o_a": scores >> PARAMS.integer_shift,
                "o_elements": elements,
                "o_column": column,
                **{f"o_{name}": op[name] for name in ("first_tile", "last_tile", "last_row", "row", "slot")},
                "o_slice": slice_,
                "o_last_slice": last,
            }
        script.cycle(held | results | stream | flat("i_op", ops[-1][0]), outputs)
    await script.play(dut)


@on_cores("narrow", "encoder")
def test_result_router(simulator, core):
    run(router(CORES[core]), __name__, simulator, core)
