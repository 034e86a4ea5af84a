"""The latencies that the cycle model computes with are those of the components."""

import itertools
import math

import pytest
from amaranth.hdl import signed, unsigned

from hdp_hw.rtl.common.multiply import _cuts, multiply_latency
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.rtl.pruning.predictor import Predictor
from hdp_hw.spec.params import LEGAL_DIGIT_WIDTHS, LEGAL_LANES, LEGAL_TILES, HdpParams
from hdp_hw.spec.timing import (
    BLOCK_ROWS_LATENCY,
    OPERAND_LATENCY,
    PREDICTOR_LATENCY_A,
    CoreLatencies,
    core_latencies,
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


def test_predictor_keeps_up():
    """With as few query rows a cycle as do, a tile of the largest head dimension takes no longer than the array."""
    latencies = set()
    for tile, lanes, max_head_dim in itertools.product(LEGAL_TILES, LEGAL_LANES, (16, 64, 128)):
        params = HdpParams(tile, lanes, max_head_dim=max_head_dim)
        cycles = params.integer_cycles(max_head_dim)
        assert params.predictor_turns <= cycles and params.predictor_wait(max_head_dim) == 0, params
        assert params.predictor_rows == 1 or 2 * params.predictor_turns > cycles, params
        latencies.add(Predictor(params).latency_a)
    assert max(latencies) == PREDICTOR_LATENCY_A


def test_constants():
    assert BLOCK_ROWS_LATENCY == BlockRows.latency


def test_tree_latency():
    """A register after every second level and after the last; test_pipeline.py holds the trees to it."""
    latencies = [tree_latency(n_terms) for n_terms in (1, 2, 4, 5, 16, 17)]
    assert latencies == [0, 1, 1, 2, 2, 3] and tree_latency(5, levels_per_stage=1) == 3


@pytest.mark.parametrize(("a", "b"), [(unsigned, unsigned), (signed, unsigned), (signed, signed)])
def test_multiply_latency(a, b):
    """The pieces into which a multiplication is cut are as many as its latency assumes."""
    for shapes in itertools.product(map(a, range(2, 60)), map(b, range(2, 60))):
        pieces = math.prod(len(_cuts(shape)) for shape in shapes)
        assert multiply_latency(*shapes) == 1 + tree_latency(pieces, 1)
