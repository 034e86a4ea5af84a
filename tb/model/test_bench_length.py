"""hdp-hw bench length: predicted cycles, bytes and memory of models as inputs grow."""

import json
from dataclasses import replace

import pytest

from hdp_hw.__main__ import main
from hdp_hw.golden.cycles.core.plan import HeadPlan, ideal_cycles
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.study.accuracy.cost import CostMeter
from hdp_hw.study.bench.length import SHAPES, head, layer_cost, record

EDGE = CONFIGS["edge"]
MINILM = SHAPES[0]


def test_record():
    """Figures that follow from the sizes alone: 6 layers of 12 heads, blocks of 4 x 4, 8 products a cycle for each."""
    found = record(MINILM, 128, 0.25, EDGE)
    assert found["dense"]["cycles"] == 6 * 12 * 32**2 * (4 + 4)
    assert found["attention"]["cycles"] == 6 * 12 * 32**2 * (2 + 0.25 * (4 + 4)), "a prediction takes two"
    assert found["linear"]["cycles"] == 6 * 12 * 384**2 * 128 / 128
    assert found["macs_share"] == pytest.approx(128 / (6 * 384 + 128))
    assert found["weights"] == 6 * (12 * 384**2 + 8 * 9 * 384)
    assert record(MINILM, 256, 0.25, EDGE)["activations"] == 2 * found["activations"]
    two = record(MINILM, 128, 0.25, replace(EDGE, n_cores=2))
    for name in ("dense", "attention", "linear"):
        assert two[name]["cycles"] * 2 == found[name]["cycles"]


def test_dense_layer_is_nearly_that_of_the_cycle_model():
    """Less, by what the array waits for; bytes are the same."""
    found, full = layer_cost(12, *head(HeadSettings(64, 64, 32), 1.0, EDGE), EDGE), CostMeter(1, EDGE)
    simulated = full.dense_cost(12, 64, 32)
    assert 0.9 * simulated.cycles < found.cycles < simulated.cycles
    assert (found.bytes_read, found.bytes_written) == (simulated.bytes_read, simulated.bytes_written)


def test_head_keeps_its_share():
    for kept, n in ((0.25, 8), (1.0, 32), (0.001, 1)):
        settings, result = head(HeadSettings(128, 128, 32, Rule.MASS), kept, EDGE)
        assert (result.mask.sum(1) == n).all() and result.n_kept == 32 * n
        assert ideal_cycles(HeadPlan.of(settings, result, EDGE), EDGE) == 32 * (64 + 8 * n)


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "length", "edge", "--lengths", "64", "1024", "--kept", "0.1"]) == 0
    said, records = capsys.readouterr().out, json.loads((tmp_path / "build/bench/length.json").read_text())
    assert [(each["model"], each["n"]) for each in records] == [(shape.name, n) for shape in SHAPES for n in (64, 1024)]
    assert f"{records[1]['dense']['cycles']:,}" in said and "10.0% of the blocks" in said
    assert main(["bench", "length", "tiny"]) != 0
    assert "head_dim = 64 is not legal" in capsys.readouterr().err
