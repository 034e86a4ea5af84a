"""The estimate of energy: counts by hand, and what the command prints."""

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.golden.bits.shell.job import attend_heads
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.study.energy.command import totals
from hdp_hw.study.energy.estimate import ENERGY_PJ, energy_pj, event_counts, memory_bits_moved
from hdp_hw.study.explore.workload import Workload

PARAMS = HdpParams(tile=2, lanes=16, digit_width=4)
N, D = 8, 16


def head(rule, **more):
    """``(HeadResult, HeadSettings)`` of a head of N queries and keys that are all zero."""
    settings = HeadSettings(N, N, D, rule, mult=1, **more)
    zeros = np.zeros((1, N, D), np.int64)
    return attend_heads(zeros, zeros, zeros, [settings], PARAMS)[0], settings


def test_memory_bits_of_a_dense_head():
    """All 16 blocks of one word: planes, operands of 64 + 64 cycles, weights, scores, sums."""
    planes = (16 + 16 + 8 * 2) * 64
    operands = (4 * 64 + 64) * 2 * 64
    weights = (64 + 16) * 4 * 8
    scores, sums = 2 * 16 * 4 * PARAMS.s_width, 2 * 4 * 2 * D * PARAMS.context_width
    assert memory_bits_moved(*head(Rule.DENSE), PARAMS) == planes + operands + weights + scores + sums


def test_memory_bits_of_a_pruned_head():
    """The decision alone."""
    planes, predictor = (16 + 16 + 8 * 2) * 64, 3 * 16 * 4 * PARAMS.a_width
    result, settings = head(Rule.MARGIN, tau_head=100)
    assert result.n_kept == 0
    assert memory_bits_moved(result, settings, PARAMS) == planes + 2 * 16 * 2 * 64 + predictor


def test_counts_of_a_dense_layer():
    """A multiplication of operands is four of digits: as much work as one of 8 bits."""
    layer = Workload("minilm").layers[0]
    settings, results = layer.attend(HdpParams(), dense=True)
    counts = event_counts(results, settings, HdpParams())
    assert counts["arithmetic"] == 12 * 2 * 128 * 128 * 32 and counts["decision"] == 0
    assert counts["softmax"] == 2 * 12 * 128 * 128
    assert energy_pj(counts)["arithmetic"] == pytest.approx(0.2 * counts["arithmetic"])


def test_pruning_saves_on_captured_heads():
    """Less of everything but decisions, and so in all; no more of it than blocks are pruned."""
    layers = Workload("minilm").layers
    dense, pruned = (totals(layers, HdpParams(), dense) for dense in (True, False))
    assert dense.keys() == pruned.keys() == ENERGY_PJ.keys()
    assert all(pruned[event] < dense[event] for event in ENERGY_PJ if event != "decision") and pruned["decision"] > 0
    kept = layers[0].attend(HdpParams())[1].n_kept.sum() / (12 * 64 * 64)
    assert pruned["softmax"] == pytest.approx(kept * dense["softmax"])
    assert sum(energy_pj(pruned).values()) > kept * sum(energy_pj(dense).values())


def test_command(capsys):
    assert main(["energy", "tiny"]) == 0
    text = capsys.readouterr().out
    assert "an estimate" in text and "Horowitz" in text
    rows = {line.split("  ")[0].strip() or line.strip().split("  ")[0]: line.split() for line in text.splitlines()[3:]}
    totals_of = [rows[name] for name in ("on the chip", "in all")]
    for row in totals_of:
        dense, pruned, ratio = (float(cell.replace(",", "")) for cell in row[-3:])
        assert ratio == pytest.approx(dense / pruned, abs=0.01)


def test_command_refuses(capsys):
    assert main(["energy", "tiny", "--workload", "wide"]) == 2
    assert "head_dim" in capsys.readouterr().err
