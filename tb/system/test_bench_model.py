"""hdp-hw bench model on the smallest model; and that a clock cycle too many is told."""

import json

import pytest

pytest.importorskip("safetensors")

from hdp_hw.__main__ import main
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.study.bench import model
from tb.lib.simulation import ROOT


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # where compiled models are kept
    monkeypatch.setattr(model, "FOLDER", tmp_path)
    monkeypatch.setattr(model, "QUICK", {"vit-digits": (65,)})


def bench():
    return main(["bench", "model", "tiny", "--quick", "--cores", "1", "--threads", "1"])


def test_records(tmp_path, capsys):
    assert bench() == 0
    printed = capsys.readouterr().out
    dense, pruned = json.loads((tmp_path / "model.json").read_text())
    assert dense["rule"] == "dense" and pruned["rule"] == "mass"
    for each in (dense, pruned):
        assert each["cycles"] == sum(each[kind]["cycles"] for kind in ("linear", "attention", "norm"))
        assert str(each["cycles"]) in printed and each["n"] == 65
    kept, visited = ([each["attention"][f"tiles_{what}"] for each in (dense, pruned)] for what in ("kept", "visited"))
    assert kept[0] == visited[0] and 0 < kept[1] < visited[1]
    # The last layer of a classifier computes one row where it is dense.
    assert dense["linear"]["busy_full"] < pruned["linear"]["busy_full"]
    assert dense["busy_ratio"] > 0.85


def test_a_cycle_too_many_is_told(tmp_path, capsys, monkeypatch):
    run = CompiledModel.__call__

    def late(self, words):
        result = run(self, words)
        self.counters["cycles"] += type(self.backend.bus).__name__ == "EmulatedBus"
        return result

    monkeypatch.setattr(CompiledModel, "__call__", late)
    assert bench() == 1
    assert "dense: cycles is " in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_core_that_takes_no_model(capsys, monkeypatch):
    monkeypatch.setattr(model, "QUICK", {"minilm": (32,)})
    assert bench() == 2
    assert "minilm does not fit" in (error := capsys.readouterr().err) and "CONFIG = 'tiny'" in error
