"""hdp-hw run of a model: it is compiled, and runs as what hdp-hw compile wrote does."""

import json

import pytest

pytest.importorskip("safetensors")

from hdp_hw.__main__ import main
from hdp_hw.encoder import CompiledModel
from tb.lib.tiny_model import write_model, write_pairs


def ran(capsys, *words):
    code = main(["run", *map(str, words)])
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    return code, output.out, output.err


def test_table_and_record(tmp_path, capsys):
    """The table's cycles are the sums of the record's; two inferences of a model that comes with the project."""
    words = ["vit-digits", "tiny", "N_CORES=2", "--inferences", "2", "--examples", "24", "-o", tmp_path]
    code, text, progress = ran(capsys, *words, "--mhz", "50")
    assert code == 0 and "inference 2 of 2: 65 tokens" in progress
    record = json.loads((tmp_path / "vit-digits-examples.json").read_text())
    assert record["params"]["n_cores"] == 2 and record["params"]["encoder"] == 1
    assert len(record["kinds"]["attention"]) == 4
    cycles = sum(job["cycles"] for jobs in record["kinds"].values() for job in jobs)
    assert f" {cycles} " in text and f"At 50 MHz an inference takes {cycles / 2 / 50e3:.2f} ms" in text
    for run in record["inferences"]:
        assert f"{run['answer']} (floats: {run['of_floats']}), cosine with floats {run['cosine']:.4f}" in text
        assert run["cosine"] > 0.99
    folder = tmp_path / "vit-digits"  # a folder of hdp-hw compile
    code, again, _ = ran(capsys, folder, "--inferences", "2", "--examples", "24", "--no-cycles", "-o", tmp_path)
    assert code == 0 and again.count("65 tokens: ") == 2 and "floats" not in again


def test_texts(tmp_path, capsys):
    """Texts of the command line; the other examples calibrate. An embedding has no answer."""
    model, pairs = write_model(tmp_path / "texts"), write_pairs(tmp_path / "pairs.tsv")
    words = [model, "tiny", "--data", pairs, "--text", "1 2 3", "--text", "4 5 6 7 8 9 10 11", "--no-cycles"]
    code, text, _ = ran(capsys, *words, "-o", tmp_path)
    record = json.loads((tmp_path / "texts-pairs.json").read_text())
    assert code == 0 and [run["tokens"] for run in record["inferences"]] == [3, 8]
    for run, line in zip(record["inferences"], text.splitlines()[1:3], strict=True):
        assert line == f"{run['tokens']} tokens: embedding, cosine with floats {run['cosine']:.4f}"


def test_a_wrong_bit_is_told(tmp_path, capsys, monkeypatch):
    run = CompiledModel.__call__

    def wrong(self, words):
        return run(self, words) ^ 1

    monkeypatch.setattr(CompiledModel, "__call__", wrong)
    code, text, error = ran(capsys, "vit-digits", "tiny", "--examples", "24", "-o", tmp_path)
    assert code == 1 and "inference 1: hidden states differ from those of the golden model" in error
    assert "cosine" not in text and not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vit-digits", "paper"], "parameter encoder = 1 is not legal"),
        (["vit-digits", "tiny", "MAX_SEQ_LEN=96", "--settings", "none.json"], "none.json"),
        (["vit-digits", "tiny", "--text", "a"], "vit-digits takes images"),
        (["vit-digits", "tiny", "--mhz", "0"], "--mhz"),
        (["vit-digits", "tiny", "--inferences", "0"], "--inferences"),
        (["vit-digits", "tiny", "--backend", "board"], "--backend"),
    ],
)
def test_what_is_refused(words, message, capsys, tmp_path):
    code, _, error = ran(capsys, *words, "-o", tmp_path)
    assert code == 2 and message in error
