"""Settings files that are wrong end every command that reads one in one line: hdp_hw/driver/layer.py."""

import json

import pytest

from hdp_hw.__main__ import main
from hdp_hw.study.models import Model
from tb.lib.tiny_model import write_model, write_pairs

LAYER = {"q_absmax": 5.5, "k_absmax": 4.0, "v_absmax": 2.0, "rule": "mass", "threshold": 1.0, "relative": True}


def text_of(**changes):
    """A settings file whose layer 1 is changed."""
    return json.dumps({"format": 1, "layers": {"0": LAYER, "1": LAYER | changes}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    write_model(folder / "model")
    write_pairs(folder / "pairs.tsv")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["profile", "model", "--data", "pairs.tsv", "--settings", "FILE"],
        ["compare", "model", "--data", "pairs.tsv", "--settings", "FILE", "--only", "calibrated"],
        ["explore", "--workload", "FILE", "--model", "model", "--data", "pairs.tsv"],
        ["energy", "--workload", "FILE", "--model", "model", "--data", "pairs.tsv"],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "settings.json: No such file or directory"),
        ("[]", "settings.json does not hold an object, {...}, at its top level"),
        ("{", "settings.json is not sound JSON: line 1, column 2"),
        (
            text_of(threshold=float("nan")),
            "settings.json: parameter layers.1.threshold = nan is not legal; legal: above 0",
        ),
        (text_of(relative=False, threshold=2.0), "layers.1.threshold = 2.0 is not legal; legal: above 0 and at most 1"),
        (text_of(threshold={}), "layers.1.threshold = {} is not legal"),
        (text_of(causal="no"), "layers.1.causal = 'no' is not legal; legal: True or False"),
        (text_of(rul="mass"), "layers.1.rul = 'mass' is not legal; legal: one of q_absmax"),
        (json.dumps({"format": 1, "layers": {"0": LAYER}}), "legal: a file with the layers 1 too"),
        (
            json.dumps({"format": 1, "layers": dict.fromkeys("012", LAYER)}),
            "a file of this model, without the layers 2",
        ),
        (json.dumps({"format": 1, "about": [], "layers": {}}), "parameter about = [] is not legal; legal: a table"),
    ],
)
def test_commands_say_it_in_one_line(folder, monkeypatch, capsys, command, text, said):
    """No model runs before."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Model, "run", None)
    path = folder / "settings.json"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    assert main([path.name if word == "FILE" else word for word in command]) in (1, 2)
    *progress, line = capsys.readouterr().err.splitlines()
    assert not any(each.startswith(("hdp-hw", "Traceback")) for each in progress)
    assert line.startswith("hdp-hw") and said in line
