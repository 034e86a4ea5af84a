"""Adder trees and delay lines of hdp_hw/rtl/common/pipeline.py, inside a component of the test's own."""

import random

import cocotb
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from hdp_hw.rtl.common.pipeline import adder_tree, delay
from hdp_hw.spec.timing import tree_latency
from tb.lib.lockstep import lockstep
from tb.lib.simulation import simulate

WIDTH = 6


class AdderTree(Component):
    """Sum of ``n_terms`` signed terms, and the first of them delayed to match."""

    def __init__(self, n_terms):
        self.latency = tree_latency(n_terms)
        super().__init__(
            {
                "i_valid": In(1),
                "i_terms": In(data.ArrayLayout(signed(WIDTH), n_terms)),
                "o_valid": Out(1),
                "o_sum": Out(signed(WIDTH + n_terms.bit_length())),
                "o_first": Out(signed(WIDTH)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.o_sum.eq(adder_tree(m, self.i_terms)),
            self.o_first.eq(delay(m, self.i_terms[0], self.latency, "first")),
            self.o_valid.eq(delay(m, self.i_valid, self.latency, "valid")),
        ]
        return m


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def sums(dut, gaps):
    n_terms = len(dut.i_terms) // WIDTH
    low, high = -(1 << (WIDTH - 1)), (1 << (WIDTH - 1)) - 1
    items = [[low] * n_terms, [high] * n_terms, [0] * n_terms]
    items += [[random.randint(low, high) for _ in range(n_terms)] for _ in range(200)]
    await lockstep(
        dut,
        [{"terms": terms} for terms in items],
        [{"sum": sum(terms), "first": terms[0]} for terms in items],
        tree_latency(n_terms),
        gaps,
    )


@pytest.mark.parametrize("n_terms", [1, 5, 16])
def test_adder_tree(simulator, n_terms):
    simulate(AdderTree(n_terms), "tb.unit.common.test_pipeline", simulator, name=f"adder_tree_{n_terms}")
