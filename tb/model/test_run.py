"""hdp-hw run: inferences on the co-processor from the command line."""

import json

import numpy as np
import pytest

pytest.importorskip("safetensors")

from hdp_hw.__main__ import main
from hdp_hw.encoder import Coprocessor


def ran(capsys, *words):
    code = main(["run", *words])
    output = capsys.readouterr()
    return code, output.out, output.err


def test_table_and_record(tmp_path, capsys):
    """The table's cycles are the sums of the record's; two inferences of a model that comes with the project."""
    words = ["vit-digits", "tiny", "N_CORES=2", "--inferences", "2", "--examples", "24", "-o", str(tmp_path)]
    code, text, progress = ran(capsys, *words, "--mhz", "50")
    assert code == 0 and "inference 2 of 2: 65 positions" in progress
    record = json.loads((tmp_path / "vit-digits-examples.json").read_text())
    assert record["params"]["n_cores"] == 2 and record["params"]["encoder"] == 1
    runs = record["inferences"]
    assert [run["jobs"]["attention"] for run in runs] == [2, 2]
    cycles = [sum(counters["cycles"] for counters in run["counters"].values()) for run in runs]
    mean = round(sum(cycles) / 2)
    assert f" {mean} " in text and f"At 50 MHz that is {mean / 50e3:.1f} ms" in text
    assert all(str(run["answer"]) in text and run["cosine"] > 0.99 for run in runs)


def test_a_wrong_bit_is_told(tmp_path, capsys, monkeypatch):
    linear = Coprocessor.linear

    def wrong(self, layer, x):
        results = linear(self, layer, x)
        results[..., 0, 0] = np.where(results[..., 0, 0] > 0, -100, 100)
        return results

    monkeypatch.setattr(Coprocessor, "linear", wrong)
    code, text, error = ran(capsys, "vit-digits", "tiny", "--examples", "24", "-o", str(tmp_path))
    assert code == 1 and "inference 1: hidden states differ from those of the golden model" in error
    assert "Every bit" not in text and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vit-digits", "paper"], "parameter encoder = 1 is not legal"),
        (["vit-digits", "tiny", "MAX_SEQ_LEN=96", "--settings", "none.json"], "none.json"),
        (["vit-digits", "tiny", "--mhz", "0"], "--mhz"),
        (["vit-digits", "tiny", "--inferences", "0"], "--inferences"),
        (["vit-digits", "tiny", "--backend", "board"], "--backend"),
    ],
)
def test_what_is_refused(words, message, capsys):
    code, _, error = ran(capsys, *words)
    assert code == 2 and message in error and "Traceback" not in error
