"""The latencies that the cycle model computes with are those of the components."""

import itertools

import pytest

from hdp_hw.rtl.approximation.multiply import multiply_latency
from hdp_hw.rtl.common.pipeline import adder_tree_latency
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.spec.params import LEGAL_DIGIT_WIDTHS, LEGAL_LANES, LEGAL_TILES, HdpParams
from hdp_hw.spec.timing import (
    BLOCK_ROWS_LATENCY,
    OPERAND_LATENCY,
    CoreLatencies,
    core_latencies,
    product_latency,
    tree_latency,
)

SIZES = [(16, 16), (128, 1024)]


@pytest.mark.parametrize("max_head_dim, max_seq_len", SIZES)
def test_core_latencies(max_head_dim, max_seq_len):
    for tile, lanes, w in itertools.product(LEGAL_TILES, LEGAL_LANES, LEGAL_DIGIT_WIDTHS):
        params = HdpParams(tile, lanes, w, max_head_dim, max_seq_len)
        core = AttentionCore(params)
        of_components = CoreLatencies(
            score=OPERAND_LATENCY + core.array.score_latency,
            context=OPERAND_LATENCY + core.array.context_latency,
            row_max=core.softmax.max_latency,
            softmax=core.softmax.latency,
            drain=core.drain.latency,
            means=core.means.latency,
        )
        assert core_latencies(params) == of_components, params


def test_constants():
    assert BLOCK_ROWS_LATENCY == BlockRows.latency


@pytest.mark.parametrize("n_terms", range(1, 20))
def test_tree_latency(n_terms):
    assert tree_latency(n_terms) == adder_tree_latency(n_terms)


def test_product_latency():
    for a, b in itertools.product(range(1, 60), range(1, 60)):
        assert product_latency(a, b) == multiply_latency(a, b)
