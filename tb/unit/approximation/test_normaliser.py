"""Normaliser against golden.bits.core.drain."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.core.drain import drain
from hdp_hw.rtl.approximation.normaliser import Normaliser
from hdp_hw.spec.tables import exp2_coefficients
from tb.lib.play import play
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run

LANES = PARAMS.out_lanes


def rows(rng, n):
    """Random beats, dict of arrays: kept and pruned keys in all proportions; V from tiny to extreme."""
    one, value_limit = exp2_coefficients(PARAMS.digit_width)[0], 2 ** (PARAMS.operand_width - 1)
    n_kept = np.where(rng.random(n) < 0.2, 0, rng.integers(1, PARAMS.max_seq_len + 1, n))
    n_pruned = np.where(rng.random(n) < 0.2, 0, rng.integers(0, PARAMS.max_seq_len - n_kept + 1))
    weight_sum = rng.integers(0, n_kept * PARAMS.digit_max + 1)
    e_pruned = np.where(rng.random(n) < 0.2, one, rng.integers(0, one + 1, n))
    size = n, LANES
    share = np.where(rng.random(size) < 0.2, np.sign(rng.uniform(-1, 1, size)), rng.uniform(-1, 1, size) ** 3)
    return {
        "context": np.rint(share * weight_sum[:, None] * value_limit).astype(np.int64),
        "pruned_value": np.rint(share * n_pruned[:, None] * value_limit).astype(np.int64),
        "e_pruned": np.where(n_pruned > 0, e_pruned, 0),
        "weight_sum": weight_sum,
        "n_pruned": n_pruned,
    }


def longest_rows():
    """Every key at the largest weight, kept or pruned, and the extreme V."""
    one, n = exp2_coefficients(PARAMS.digit_width)[0], PARAMS.max_seq_len
    v = np.repeat([[-(2 ** (PARAMS.operand_width - 1))], [PARAMS.digit_max]], LANES, 1)
    return {
        "context": np.concatenate([n * PARAMS.digit_max * v, 0 * v]),
        "pruned_value": np.concatenate([0 * v, n * v]),
        "e_pruned": np.array([0, 0, one, one]),
        "weight_sum": np.array([n * PARAMS.digit_max, n * PARAMS.digit_max, 0, 0]),
        "n_pruned": np.array([0, 0, n, n]),
    }


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def beats(dut, gaps):
    rng, block = np.random.default_rng(cocotb.RANDOM_SEED), Normaliser(PARAMS)
    random_rows = rows(rng, 2000)
    items = {name: np.concatenate([extreme, random_rows[name]]) for name, extreme in longest_rows().items()}
    context, pruned_value, e_pruned, weight_sum, n_pruned = items.values()
    y = drain(context, weight_sum[:, None], e_pruned[:, None], n_pruned[:, None], pruned_value, 0, PARAMS)
    sums, values, expected, cycle = {}, {}, {}, 0
    for index in range(len(y)):
        cycle += int(rng.integers(1, 4)) if gaps else 1
        sums[cycle] = {f"i_{name}": items[name][index] for name in ("weight_sum", "e_pruned", "n_pruned")}
        values[cycle + block.lead] = {"i_context": context[index], "i_pruned_value": pruned_value[index]}
        expected[cycle + block.latency] = {"o_y": y[index]}
    await play(dut, {"i_valid": sums}, values, {"o_valid": expected})


@on_every_core
def test_normaliser(simulator, core):
    run(Normaliser(CORES[core]), __name__, simulator, core)
