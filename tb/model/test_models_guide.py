"""The models that the project has, and the example of docs/models.md on one of them."""

import pytest

from hdp_hw.__main__ import main
from hdp_hw.study.models import EXTRA, load_model
from hdp_hw.study.models.checkpoint import WEIGHTS
from hdp_hw.study.tasks import compare, load_task
from tb.model.test_driver_guide import ROOT, blocks


def test_guide(tmp_path, monkeypatch, capsys):
    """Its example, on settings that the command makes."""
    pytest.importorskip("safetensors", reason=EXTRA)
    monkeypatch.chdir(tmp_path)
    options = "--examples 24 --sample 2 --steps 2 -o settings.json"
    assert main(["calibrate", "vit-digits", *options.split()]) == 0
    (block,) = blocks(ROOT / "docs" / "models.md")
    capsys.readouterr()
    exec(block, space := {})
    assert capsys.readouterr().out.strip() == str(compare(space["task"], space["outputs"]))
    assert space["outputs"].shape == (40, 10) and len(space["layers"]) == 2


@pytest.mark.parametrize(("name", "n_labels"), [("bert-tiny-sst2", 2), ("vit-digits", 10), ("vit-vowels", 9)])
def test_the_project_s_own_models(name, n_labels):
    """Weights are there, small, and better than guessing."""
    pytest.importorskip("safetensors", reason=EXTRA)
    model = load_model(name)
    assert model.encoder.n_labels == len(model.labels) == n_labels
    assert sum(path.stat().st_size for path in (WEIGHTS / name).iterdir()) < 2.1e6
    if model.encoder.layout.images:
        task = load_task(None, model, limit=100)
        assert task.metric(task.predict(model.run(task.inputs)), task.labels) > 0.8
    else:
        texts = ["a wonderful and moving film .", "a dull , lifeless mess ."]
        assert model.run(model.read(texts)).argmax(-1).tolist() == [1, 0]
