"""hdp-hw compare on a tiny random model: records, resumption, processes and a cluster; and its words."""

import csv
import html
import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.driver.layer import LayerSettings, save_layers
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.accuracy.parts import digests
from hdp_hw.study.compare import command
from hdp_hw.study.compare.command import compare, digest
from hdp_hw.study.compare.records import Record, best, best_of_curves, findings, percent
from hdp_hw.study.compare.report import BUDGET, COLORS
from hdp_hw.study.compare.sweep import Point, points
from hdp_hw.study.compare.worker import Job, evaluate, method_of, prepare
from hdp_hw.study.models import Model
from hdp_hw.study.peers import METHODS
from hdp_hw.study.peers.cost import Work
from hdp_hw.study.sweep import Results, SweepError
from tb.lib.tiny_model import write_model, write_pairs
from tb.model.test_report import PROBE, chromium  # noqa: F401 - a fixture

FIELDS = {
    "method", "parameters", "metric", "dense_metric", "loss", "stderr", "label_flips", "pruned_share", "net_saving",
    "predicted_cycles", "dense_cycles",
}  # fmt: skip
ONLY = ("HDP margin, compensated", "Energon", "SpAtten tokens")
N_POINTS = 6 + 9 + 22


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds the tiny model and its pairs."""
    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    folder = tmp_path_factory.mktemp("compare")
    write_model(folder / "tiny")
    write_pairs(folder / "pairs.tsv")
    return folder


def job_of(folder, **changes):
    values = dict(model=str(folder / "tiny"), data=str(folder / "pairs.tsv"), max_tokens=20, examples=8, timed_inputs=5)
    return Job(**values | changes, params=CONFIGS["tiny"])


@pytest.fixture(scope="module")
def made(folder):
    """``(records, what was said)`` of a run with one process."""
    said = []
    return compare(job_of(folder), folder / "one", ONLY, command="the command", say=said.append), said


# -- the sweep --------------------------------------------------------------------------------------------------------
def test_points_are_distinct_and_legal(folder):
    swept = points()
    assert len({(point.method, tuple(sorted(point.parameters))) for point in swept}) == len(swept)
    assert {point.method for point in swept} == set(METHODS)
    assert {point.curve for point in points("a file")} == set(COLORS), "each curve has a colour of its own"
    prepared = prepare(job_of(folder))
    for point in swept:
        method = method_of(point, prepared, CONFIGS["tiny"])
        given = {name: value for name, value in point.parameters if name != "heads" or point.method != "hdp"}
        assert given.items() <= method.parameters.items()
    with pytest.raises(ParameterError, match="alpha = 2"):
        method_of(Point.of("Energon", "energon", alpha=2), prepared, CONFIGS["tiny"])


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_heads_are_pruned_by_about_the_share_asked_for(folder, share):
    """On the inputs of the calibration, whose quantile it is."""
    prepared = prepare(job_of(folder))
    method = method_of(Point.of("", "hdp", heads=share), prepared, CONFIGS["tiny"])
    assert (prepared.importances < method.tau_head).mean() == pytest.approx(share, abs=0.02)


def test_measured_and_calibration_examples_differ(folder):
    prepared = prepare(job_of(folder))
    assert len(prepared.task.labels) == 8 and prepared.scales.shape == (2, 3) and (prepared.scales > 0).all()
    outputs = prepared.task.model.run(prepared.task.inputs)
    np.testing.assert_allclose(prepared.dense, prepared.task.predict(outputs), rtol=1e-5)


def test_what_a_settings_file_was_calibrated_on_is_not_measured(folder, tmp_path):
    """As long as it did not see all, and says what it saw."""
    half, job = prepare(job_of(folder)), job_of(folder, examples=100)
    names = digests(half.task)
    file, layers = tmp_path / "settings.json", dict.fromkeys("01", LayerSettings(1.0, 1.0, 1.0))
    for seen, sentence in ((names, "; this is of the"), ([], "does not say which examples")):
        save_layers(file, layers, {"seen": " ".join(seen)})
        prepared = prepare(replace(job, settings=str(file)))
        assert sentence in prepared.unseen
        assert set(digests(prepared.task)) & set(names) == (set() if seen else set(names))
        prepare.cache_clear()
    assert half.unseen == ""


def test_only_what_is_measured_is_run_without_pruning(folder, monkeypatch):
    """A similarity has nothing to learn from the other examples."""
    run, sizes = Model.run, []
    monkeypatch.setattr(Model, "run", lambda model, inputs: sizes.append(len(inputs)) or run(model, inputs))
    task = prepare.__wrapped__(job_of(folder)).task
    assert sizes == [len(task.inputs)] and len(task.inputs) <= 16


def test_probes_are_fitted_on_all_examples(folder, tmp_path):
    """A model without a classifier gets linear probes; what they predict does not depend on which part is measured."""
    lines = (folder / "pairs.tsv").read_text().splitlines()
    data = tmp_path / "classes.tsv"
    data.write_text(
        "text\tlabel\n" + "".join(f"{line.split(chr(9))[0]}\t{index % 2}\n" for index, line in enumerate(lines))
    )
    small, large = (prepare(job_of(folder, data=str(data), examples=n)) for n in (4, 12))
    assert small.task.fits_on_all and set(np.unique(large.dense)) <= {0, 1}
    places = [large.task.inputs.index(each) for each in small.task.inputs]
    np.testing.assert_array_equal(small.dense, large.dense[places])


# -- a run ------------------------------------------------------------------------------------------------------------
def test_files(folder, made):
    records, said = made
    rows = json.loads((folder / "one" / "pairs.json").read_text())
    assert FIELDS <= set(rows[0]) and len(rows) == len(records) == N_POINTS
    assert [row["curve"] for row in rows] == [record.curve for record in records]
    for row in rows:
        assert row["loss"] == pytest.approx(row["dense_metric"] - row["metric"]) and row["n"] == 8
        assert row["stderr"] >= 0 and 0 <= row["label_flips"] <= 8 and row["net_saving"] <= row["pruned_share"] <= 1
        not_blocks = row["method"] == "energon" or "values" in row["curve"]  # masks that the array cannot execute
        assert (row["predicted_cycles"] == "no") == not_blocks
    with (folder / "one" / "pairs.csv").open() as file:
        assert [row["curve"] for row in csv.DictReader(file)] == [row["curve"] for row in rows]
    page = html.unescape((folder / "one" / "pairs.html").read_text())
    assert "the command" in page and all(sentence in page for sentence in findings(records))
    assert said[1] == f"pairs: 8 examples; {N_POINTS} of {N_POINTS} points to evaluate" and said[-2].endswith(
        "pairs.html, .json, .csv"
    )


def test_record_is_what_the_method_does(folder, made):
    record = next(each for each in made[0] if each.curve == "Energon" and each.parameters["alpha"] == 0)
    prepared = prepare(job_of(folder))
    method = METHODS["energon"](alpha=0.0)
    predictions = prepared.task.predict(prepared.task.model.run(prepared.task.inputs, method))
    assert record.metric == prepared.task.metric(predictions, prepared.task.labels)
    assert record.work.net_saving == method.work.net_saving and record.work.texts(1) == len(prepared.task.inputs)


def test_chromium_shows_the_page(folder, made, chromium, tmp_path):  # noqa: F811
    """The findings, curves of HDP and of its peers, the ranking's rows, and the masks over tokens."""
    records, file = made[0], tmp_path / "compare.html"
    file.write_text((folder / "one" / "pairs.html").read_text().replace("</body>", PROBE + "</body>"))
    seen = json.loads(html.unescape(re.search("<title>(.*?)</title>", chromium("--dump-dom", file.as_uri()), re.S)[1]))
    assert len(seen["svg"]) >= 3 and all(width > 200 and height > 100 for width, height in seen["svg"])
    assert all(sentence in " ".join(seen["lead"].split()) for sentence in findings(records))
    visible = [text for text, width, height in seen["rows"] if width and height]
    for curve, record in best_of_curves(records, BUDGET).items():
        assert any(text.startswith(curve) and percent(record.work.net_saving) in text for text in visible)
    assert seen["strong"] and seen["overflow"] <= 0


def test_a_second_run_evaluates_nothing(folder, made, monkeypatch):
    monkeypatch.setattr("hdp_hw.study.sweep.executor", None)
    said = []
    records = compare(job_of(folder), folder / "one", ONLY, say=said.append)
    assert said[1].endswith(f" 0 of {N_POINTS} points to evaluate")
    assert [record.row for record in records] == [record.row for record in made[0]]


def test_a_killed_run_goes_on_where_it_was(folder, made, tmp_path):
    """Ten whole lines and half of one are left."""
    lines = (folder / "one" / "pairs.jsonl").read_text().splitlines(keepends=True)
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(lines[:10]) + lines[10][:50])
    said = []
    records = compare(job_of(folder), tmp_path, ONLY, jobs=2, say=said.append)
    assert said[1].endswith(f" {N_POINTS - 10} of {N_POINTS} points to evaluate")
    rows = [{**record.row, "seconds": 0} for record in records]
    assert rows == [{**record.row, "seconds": 0} for record in made[0]]
    assert len(file.read_text().splitlines()) == N_POINTS + 1


@pytest.mark.parametrize("change", [{"examples": 7}, {"timed_inputs": 4}, {"max_tokens": 10}])
def test_results_of_another_job_do_not_count(folder, made, change):
    cache = Results(folder / "one" / "pairs.jsonl", digest(job_of(folder, **change)))
    assert len(cache.results) == N_POINTS and not any(cache.get(point) for point in points())


def test_built_in_examples(folder):
    prepared = prepare(job_of(folder, data=None))
    assert prepared.task.name == "passages" and len(prepared.dense) == len(prepared.task.labels) >= 2


def test_results_on_other_data_do_not_count(folder, made, tmp_path):
    data = write_pairs(tmp_path / "pairs.tsv", seed=2)
    cache = Results(folder / "one" / "pairs.jsonl", digest(job_of(folder, data=str(data))))
    assert not any(cache.get(point) for point in points())


def test_cluster(folder, made, tmp_path):
    """Two worker processes behind a scheduler give what one process gave."""
    distributed = pytest.importorskip("distributed", reason="the `cluster` extra is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        records = compare(job_of(folder), tmp_path, ONLY, scheduler=cluster.scheduler_address, say=lambda text: None)
    assert [{**record.row, "seconds": 0} for record in records] == [{**each.row, "seconds": 0} for each in made[0]]


def test_a_failing_point_is_named_and_the_others_are_kept(folder, tmp_path, monkeypatch):
    bad = Point.of("Energon", "energon", alpha=2.0)
    monkeypatch.setattr(command, "points", lambda settings: [bad, Point.of("Sanger", "sanger", threshold=0.1)])
    with pytest.raises(SweepError, match="1 points failed, the first with: Energon, alpha 2: ParameterError"):
        compare(job_of(folder), tmp_path, say=lambda text: None)
    assert [row["curve"] for row in json.loads((tmp_path / "pairs.json").read_text())] == ["Sanger"]


def test_a_settings_file_is_a_point(folder, tmp_path):
    """With the scales and thresholds of a point of the sweep, layer by layer and head by head, it is that point."""
    prepared, file = prepare(job_of(folder)), tmp_path / "settings.json"
    layers = {
        str(index): LayerSettings(
            float(q), (float(k),) * 2, float(v), rule="mass", threshold=(1.0, 1.0), relative=True, compensate=True
        )
        for index, (q, k, v) in enumerate(prepared.scales)
    }
    save_layers(file, dict(reversed(layers.items())))  # by name, not by place
    job = job_of(folder, settings=str(file))
    same = evaluate(job, Point.of("HDP mass, compensated", "hdp", rule="mass", threshold=1.0, compensate=True))
    (calibrated,) = compare(job, tmp_path, ["calibrated"], say=lambda text: None)
    assert calibrated.curve == "HDP calibrated" and calibrated.parameters == {"settings": str(file)}
    assert calibrated.work.to_lists() == same["work"]
    assert calibrated.metric == prepared.task.metric(same["predictions"], prepared.task.labels)
    for others, message in (({"0"}, "a file with the layers 1 too"), ({"0", "1", "2"}, "without the layers 2")):
        save_layers(tmp_path / "other.json", {name: layers.get(name, layers["0"]) for name in sorted(others)})
        with pytest.raises(ParameterError, match=message):
            compare(job_of(folder, settings=str(tmp_path / "other.json")), tmp_path, say=lambda text: None)


class Dying:
    """An evaluation that takes its process with it."""

    def __init__(self, job, point):
        os._exit(1)


def test_a_dying_process_is_said(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "points", lambda settings: [Point.of("Energon", "energon", alpha=0.0)])
    monkeypatch.setattr(command, "evaluate", Dying)
    with pytest.raises(SweepError, match="a process died; what is done is kept"):
        compare(job_of(folder), tmp_path, say=lambda text: None)


# -- the command ------------------------------------------------------------------------------------------------------
def test_command_line(folder, made, capsys):
    arguments = [
        "compare",
        str(folder / "tiny"),
        "--data",
        str(folder / "pairs.tsv"),
        "--examples",
        "8",
        "--timed",
        "5",
    ]
    arguments += ["--max-tokens", "20", "--only", *ONLY, "-o", str(folder / "one"), "--processes", "1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert f" 0 of {N_POINTS} points to evaluate" in printed
    first, *_, last = printed.splitlines()
    assert first == last and first.startswith("pairs: 24 pairs of texts with a score (")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--data", "no/such.tsv"], "no/such.tsv"),
        (["--only", "Nobody"], "no curve has any of Nobody in its name"),
        (["--scheduler", "tcp://127.0.0.1:9"], "no scheduler at tcp://127.0.0.1:9"),
        (["MAX_HEAD_DIM=17"], "max_head_dim = 17 is not legal"),
        (["--examples", "1"], "--examples: '1' is not legal; legal: an integer, 2 or more"),
    ],
)
def test_command_line_refuses(folder, tmp_path, capsys, changes, message):
    arguments = ["compare", str(folder / "tiny"), "--data", str(folder / "pairs.tsv"), "-o", str(tmp_path), *changes]
    assert main(arguments) in (1, 2)
    assert message in capsys.readouterr().err


# -- words ------------------------------------------------------------------------------------------------------------
def record(curve, method, net_saving, loss, stderr=0.001):
    work = Work()
    work.add(0, texts=np.ones(1), dense_cost=1.0, cost=1 - net_saving)
    return Record(curve, method, {}, 100, 0.9 - loss, 0.9, loss, stderr, 3, 1.0, work)


HDP = [
    record("HDP mass", "hdp", 0.4, 0.003),
    record("HDP mass", "hdp", 0.6, 0.009),
    record("HDP mass", "hdp", 0.7, 0.03),
]


def test_best():
    """A loss counts with its standard error: luck with few examples is no saving."""
    assert best(HDP, 0.01) is HDP[1] and best(HDP, 0.001) is None
    peer, lucky, nothing = (
        record("A3", "a3", 0.65, 0.009),
        record("Energon", "energon", 0.8, 0, 0.02),
        record("Sanger", "sanger", -0.1, 0),
    )
    assert best_of_curves([*HDP, peer, lucky, nothing], 0.01) == {"A3": peer, "HDP mass": HDP[1]}


def test_a_winning_peer_is_said():
    half, one, two = findings([*HDP, record("A3", "a3", 0.65, 0.009), record("oracle", "oracle", 0.9, 0)])
    assert half.startswith("At 0.5 points lost or less, HDP saves most: HDP mass: 40.0 % saved, 0.30 +- 0.10 lost.")
    assert "No peer saves anything" in half
    assert one.startswith("At 1 points lost or less, a peer wins: A3: 65.0 % saved") and "HDP's best is HDP mass" in one
    assert "a peer wins: A3" in two


def test_a_losing_peer_is_said():
    _, one, _ = findings([*HDP, record("A3", "a3", 0.5, 0.009)])
    assert one.endswith("The best peer is A3: 50.0 % saved, 0.90 +- 0.10 lost.")


def test_nothing_saved_is_said():
    assert findings([record("A3", "a3", 0.5, 0.4)])[1] == "At 1 points lost or less, no method saves anything."
    assert "HDP saves nothing." in findings([record("A3", "a3", 0.5, 0)])[0]
