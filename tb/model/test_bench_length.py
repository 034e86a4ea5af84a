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
    found = record(MINILM, 128, 0.25, 0.0, EDGE)
    assert found["dense"]["cycles"] == 6 * 12 * 32**2 * (4 + 4)
    assert found["attention"]["cycles"] == 6 * 12 * 32**2 * (2 + 0.25 * (4 + 4)), "a prediction takes two"
    assert found["linear"]["cycles"] == 6 * 12 * 384**2 * 128 / 128
    assert found["macs_share"] == pytest.approx(128 / (6 * 384 + 128))
    assert found["weights"] == 6 * (12 * 384**2 + 8 * 9 * 384)
    assert record(MINILM, 256, 0.25, 0.0, EDGE)["activations"] == 2 * found["activations"]
    assert found["cycles_saving_with_projections"] == found["cycles_saving"]
    two = record(MINILM, 128, 0.25, 0.0, replace(EDGE, n_cores=2))
    for name in ("dense", "attention", "linear"):
        assert two[name]["cycles"] * 2 == found[name]["cycles"]


def test_dense_layer_is_nearly_that_of_the_cycle_model():
    """Less, by what the array waits for; bytes are the same."""
    found, full = layer_cost([(12, *head(HeadSettings(64, 64, 32), 1.0, EDGE))], EDGE), CostMeter(1, EDGE)
    simulated = full.dense_cost(12, 64, 32)
    assert 0.9 * simulated.cycles < found.cycles < simulated.cycles
    assert (found.bytes_read, found.bytes_written) == (simulated.bytes_read, simulated.bytes_written)


def test_projections_of_pruned_heads():
    """A quarter of the heads has no block left, the others a third each; V and output projection are 1/6 of the rest.

    So a layer of 2 n / (12 hidden) attention spares a quarter of 2 / 12 of its linear work.
    """
    found, without = (record(MINILM, 128, 0.25, pruned, EDGE) for pruned in (0.25, 0.0))
    assert found["pruned_heads"] == 0.25
    assert found["attention"]["cycles"] == 6 * (12 * 32**2 * 2 + 9 * 32 * round(32 / 3) * 8)
    assert found["attention"]["bytes_read"] < without["attention"]["bytes_read"]
    dense = found["dense"]["cycles"] + found["linear"]["cycles"]
    spared = found["cycles_saving_with_projections"] - found["cycles_saving"]
    assert spared * dense == pytest.approx(found["linear"]["cycles"] / 6 / 4)
    assert record(MINILM, 128, 0.5, 1.0, EDGE)["attention"]["cycles"] == 6 * 12 * 32**2 * 2, "predictions alone"


def test_head_keeps_its_share():
    for kept, n in ((0.25, 8), (1.0, 32), (0.001, 1)):
        settings, result = head(HeadSettings(128, 128, 32, Rule.MASS), kept, EDGE)
        assert (result.mask.sum(1) == n).all() and result.n_kept == 32 * n
        assert ideal_cycles(HeadPlan.of(settings, result, EDGE), EDGE) == 32 * (64 + 8 * n)


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "length", "edge", "--lengths", "64", "1024", "--kept", "0.1", "--pruned", "0.5"]) == 0
    said, records = capsys.readouterr().out, json.loads((tmp_path / "build/bench/length.json").read_text())
    assert [(each["model"], each["n"]) for each in records] == [(shape.name, n) for shape in SHAPES for n in (64, 1024)]
    assert f"{records[1]['dense']['cycles']:,}" in said
    assert "keeps 10.0% of the blocks and prunes 50.0% of the heads" in said
    assert main(["bench", "length", "tiny"]) != 0
    assert "head_dim = 64 is not legal" in capsys.readouterr().err
