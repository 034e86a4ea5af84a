"""hdp-hw bench model on the smallest model; and that a clock cycle too many is told."""

import json

import pytest

pytest.importorskip("safetensors")

from hdp_hw.__main__ import main
from hdp_hw.encoder import Coprocessor
from hdp_hw.study.bench import model
from tb.lib.simulation import ROOT


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # where compiled models are kept
    monkeypatch.setattr(model, "FOLDER", tmp_path)
    monkeypatch.setattr(model, "QUICK", ("vit-digits",))


def bench():
    return main(["bench", "model", "tiny", "--quick", "--cores", "1", "--threads", "1"])


def test_records(tmp_path, capsys):
    assert bench() == 0
    printed = capsys.readouterr().out
    dense, pruned = json.loads((tmp_path / "model.json").read_text())
    assert dense["rule"] == "dense" and pruned["rule"] == "mass"
    for each in (dense, pruned):
        assert each["cycles"] == each["linear"]["cycles"] + each["attention"]["cycles"]
        assert str(each["cycles"]) in printed and each["n"] == 65
    kept, visited = ([each["attention"][f"tiles_{what}"] for each in (dense, pruned)] for what in ("kept", "visited"))
    assert kept[0] == visited[0] and 0 < kept[1] < visited[1]
    # The last layer of a classifier computes one row where it is dense.
    assert dense["linear"]["busy_full"] < pruned["linear"]["busy_full"]
    assert dense["busy_ratio"] > 0.85


def test_a_cycle_too_many_is_told(tmp_path, capsys, monkeypatch):
    run = Coprocessor._run

    def late(self, kind, job):
        result = run(self, kind, job)
        self.counters[kind]["cycles"] += type(self.backend).__name__ == "Emulator"
        return result

    monkeypatch.setattr(Coprocessor, "_run", late)
    assert bench() == 1
    assert "linear: cycles is " in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_core_that_takes_no_model(capsys, monkeypatch):
    monkeypatch.setattr(model, "QUICK", ("minilm",))
    assert bench() == 2
    assert "minilm does not fit" in (error := capsys.readouterr().err) and "CONFIG = 'tiny'" in error
