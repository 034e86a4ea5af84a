"""Normaliser, fed by a Reciprocal as the drain does it, against golden/bits/core/drain.py."""

import cocotb
import numpy as np
from amaranth.hdl import Module, signed, unsigned
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.golden.bits.core.drain import drain
from hdp_hw.rtl.approximation.normaliser import Normaliser
from hdp_hw.rtl.approximation.reciprocal import Reciprocal
from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.spec.tables import exp2_coefficients, guard, normalised_width
from tb.lib.lockstep import lockstep
from tb.unit.approximation.approximation_bench import CORES, PARAMS, on_every_core, run


class Lane(Component):
    """A Normaliser and the Reciprocal of its denominator, whichever of the two starts later waiting for the other."""

    def __init__(self, params):
        self.params = params
        self.width = normalised_width(params.digit_width, params.max_seq_len)
        self.reciprocal = Reciprocal(params, self.width)
        self.normaliser = Normaliser(params)
        self.lead = self.reciprocal.latency - self.normaliser.reciprocal_offset
        self.latency = max(self.lead, 0) + self.normaliser.latency
        super().__init__(
            {
                "i_valid": In(1),
                "i_context": In(signed(params.context_width)),
                "i_pruned_value": In(signed(params.value_sum_width)),
                "i_e_pruned": In(unsigned(self.normaliser.e_width)),
                "i_denominator": In(unsigned(self.width)),
                "o_valid": Out(1),
                "o_y": Out(signed(params.operand_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reciprocal, m.submodules.normaliser = self.reciprocal, self.normaliser
        lane, reciprocal = self.normaliser, self.reciprocal
        m.d.comb += [
            reciprocal.i_valid.eq(self.i_valid),
            reciprocal.i_x.eq(self.i_denominator),
            lane.i_r.eq(delay(m, reciprocal.o_r, max(-self.lead, 0), "r")),
            lane.i_s.eq(delay(m, reciprocal.o_s, max(-self.lead, 0), "s")),
            self.o_valid.eq(lane.o_valid),
            self.o_y.eq(lane.o_y),
        ]
        for name in ("valid", "context", "pruned_value", "e_pruned"):
            late = delay(m, getattr(self, f"i_{name}"), max(self.lead, 0), name)
            m.d.comb += getattr(lane, f"i_{name}").eq(late)
        return m


def rows(rng, n):
    """Random rows, dict of arrays: kept and pruned keys in all proportions; V from tiny to extreme."""
    one, value_limit = exp2_coefficients(PARAMS.digit_width)[0], 2 ** (PARAMS.operand_width - 1)
    n_kept = np.where(rng.random(n) < 0.2, 0, rng.integers(1, PARAMS.max_seq_len + 1, n))
    n_pruned = np.where(rng.random(n) < 0.2, 0, rng.integers(0, PARAMS.max_seq_len - n_kept + 1))
    weight_sum = rng.integers(0, n_kept * PARAMS.digit_max + 1)
    e_pruned = np.where(rng.random(n) < 0.2, one, rng.integers(0, one + 1, n))
    share = np.where(rng.random(n) < 0.2, np.sign(rng.uniform(-1, 1, n)), rng.uniform(-1, 1, n) ** 3)
    return {
        "context": np.rint(share * weight_sum * value_limit).astype(np.int64),
        "pruned_value": np.rint(share * n_pruned * value_limit).astype(np.int64),
        "e_pruned": np.where(n_pruned > 0, e_pruned, 0),
        "weight_sum": weight_sum,
        "n_pruned": n_pruned,
    }


def longest_rows():
    """Every key at the largest weight, kept or pruned, and the extreme V."""
    one, n = exp2_coefficients(PARAMS.digit_width)[0], PARAMS.max_seq_len
    v = np.array([-(2 ** (PARAMS.operand_width - 1)), PARAMS.digit_max])
    return {
        "context": np.concatenate([n * PARAMS.digit_max * v, 0 * v]),
        "pruned_value": np.concatenate([0 * v, n * v]),
        "e_pruned": np.array([0, 0, one, one]),
        "weight_sum": np.array([n * PARAMS.digit_max, n * PARAMS.digit_max, 0, 0]),
        "n_pruned": np.array([0, 0, n, n]),
    }


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def lanes(dut, gaps):
    random_rows = rows(np.random.default_rng(cocotb.RANDOM_SEED), 2000)
    items = {name: np.concatenate([extreme, random_rows[name]])[:, None] for name, extreme in longest_rows().items()}
    context, pruned_value, e_pruned, weight_sum, n_pruned = items.values()
    y = drain(context, weight_sum, e_pruned, n_pruned, pruned_value, 0, PARAMS)
    denominator = (weight_sum << guard(PARAMS.digit_width)) + e_pruned * n_pruned
    fields = ("context", "pruned_value", "e_pruned", "denominator")
    inputs = [dict(zip(fields, row)) for row in np.hstack([context, pruned_value, e_pruned, denominator])]
    await lockstep(dut, inputs, [{"y": y} for y in y[:, 0]], Lane(PARAMS).latency, gaps)


@on_every_core
def test_normaliser(simulator, core):
    run(Lane(CORES[core]), __name__, simulator, core)
