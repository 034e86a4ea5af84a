"""hdp-hw compare on a tiny random model: records, resumption, processes and a cluster."""

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
from hdp_hw.study.compare.findings import findings, judged, part
from hdp_hw.study.compare.records import percent
from hdp_hw.study.compare.report import BUDGET, COLORS
from hdp_hw.study.compare.sweep import JUDGED, SEARCH, Point, points, thinned
from hdp_hw.study.compare.worker import Job, evaluate, method_of, prepare
from hdp_hw.study.models import Model
from hdp_hw.study.peers import METHODS
from hdp_hw.study.sweep import Results, SweepError
from hdp_hw.study.tasks import TaskError
from tb.lib.tiny_model import write_model, write_pairs
from tb.model.test_report import PROBE, chromium  # noqa: F401 - a fixture

FIELDS = {
    "method", "parameters", "metric", "dense_metric", "loss", "stderr", "label_flips", "pruned_share", "net_saving",
    "predicted_cycles", "dense_cycles", "part", "attention_share", "linear_saving", "model_saving",
    "model_saving_all_rows", "model_saving_with_projections", "model_byte_saving",
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
    values["search"] = 8
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
    assert points(first_only=True) != swept, "what SpAtten drops is not read there"
    for point in swept:
        method = method_of(point, prepared, CONFIGS["tiny"])
        given = {name: value for name, value in point.parameters if name != "heads" or point.method != "hdp"}
        assert given.items() <= method.parameters.items()
    with pytest.raises(ParameterError, match="alpha = 2"):
        method_of(Point.of("Energon", "energon", alpha=2), prepared, CONFIGS["tiny"])


def test_thinned():
    """The first of each curve stays, and the order."""
    swept = points("a file")
    assert thinned(swept, 1) == swept
    few = thinned(swept, 3)
    assert few == [point for point in swept if point in few]
    tau = [dict(point.parameters)["tau"] for point in few if point.curve == "DynaTran"]
    assert tau == [0.005, 0.03, 0.2] and {point.curve for point in few} == {point.curve for point in swept}


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_heads_are_pruned_by_about_the_share_asked_for(folder, share):
    """On the inputs of the calibration, whose quantile it is."""
    prepared = prepare(job_of(folder))
    method = method_of(Point.of("", "hdp", heads=share), prepared, CONFIGS["tiny"])
    assert (prepared.importances < method.tau_head).mean() == pytest.approx(share, abs=0.02)


def test_no_example_chooses_and_judges(folder):
    prepared = prepare(job_of(folder))
    search, judging = (prepared.parts[name] for name in (SEARCH, JUDGED))
    assert len(search.task.labels) == len(judging.task.labels) == 8
    assert not {*digests(search.task)} & {*digests(judging.task)}
    assert prepared.scales.shape == (2, 3) and (prepared.scales > 0).all()
    for each in (search, judging):
        outputs = each.task.model.run(each.task.inputs)
        np.testing.assert_allclose(each.dense, each.task.predict(outputs), rtol=1e-5)


def test_a_file_to_choose_by(folder, tmp_path):
    """All other examples judge; those of the file do not, where it has some of them."""
    lines = (folder / "pairs.tsv").read_text().splitlines(keepends=True)
    file = tmp_path / "some.tsv"
    file.write_text("".join(lines[:10]))
    prepared = prepare(job_of(folder, calibration=str(file), examples=100, search=100))
    sizes = [len(prepared.parts[name].task.labels) for name in (SEARCH, JUDGED)]
    whole = prepare(job_of(folder, examples=100, search=100))
    assert sum(sizes) == sum(len(each.task.labels) for each in whole.parts.values()) and 2 < sizes[0] < 11
    assert not {*digests(prepared.parts[SEARCH].task)} & {*digests(prepared.task)}
    with pytest.raises(TaskError, match=r"pairs.tsv holds all examples of pairs; legal: others"):
        prepare(job_of(folder, calibration=str(folder / "pairs.tsv"), search=100))


def test_what_a_settings_file_was_calibrated_on_is_not_measured(folder, tmp_path):
    """As long as it did not see all, and says what it saw."""
    half, job = prepare(job_of(folder)), job_of(folder, examples=100, search=100)
    names = digests(half.task)
    file, layers = tmp_path / "settings.json", dict.fromkeys("01", LayerSettings(1.0, 1.0, 1.0))
    for seen, sentence in ((names, "; this is of the"), ([], "does not say which examples")):
        save_layers(file, layers, {"seen": " ".join(seen)})
        prepared = prepare(replace(job, settings=str(file)))
        assert sentence in prepared.unseen
        assert set(digests(prepared.task)) & set(names) == (set() if seen else set(names))
        assert not seen or set(digests(prepared.parts[SEARCH].task)) == set(names)
        prepare.cache_clear()
    assert half.unseen == ""


def test_only_what_is_measured_is_run_without_pruning(folder, monkeypatch):
    """A similarity has nothing to learn from the other examples."""
    run, sizes = Model.run, []
    monkeypatch.setattr(Model, "run", lambda model, inputs: sizes.append(len(inputs)) or run(model, inputs))
    parts = prepare.__wrapped__(job_of(folder)).parts.values()
    assert sizes == [len(each.task.inputs) for each in parts] and max(sizes) <= 16


def test_probes_are_fitted_on_all_examples(folder, tmp_path):
    """A model without a classifier gets linear probes; what they predict does not depend on which part is measured."""
    lines = (folder / "pairs.tsv").read_text().splitlines()
    data = tmp_path / "classes.tsv"
    data.write_text(
        "text\tlabel\n" + "".join(f"{line.split(chr(9))[0]}\t{index % 2}\n" for index, line in enumerate(lines))
    )
    small, large = (prepare(job_of(folder, data=str(data), examples=n)) for n in (4, 12))
    assert small.task.fits_on_all and set(np.unique(large.parts[JUDGED].dense)) <= {0, 1}
    places = [large.task.inputs.index(each) for each in small.task.inputs]
    few, many = (each.parts[JUDGED].dense for each in (small, large))
    np.testing.assert_array_equal(few, many[places])


# -- a run ------------------------------------------------------------------------------------------------------------
def test_files(folder, made):
    records, said = made
    rows = json.loads((folder / "one" / "tiny-pairs.json").read_text())
    judging = part(records, JUDGED)
    assert FIELDS <= set(rows[0]) and len(rows) == len(records) == N_POINTS + len(judging)
    assert {record.key for record in judging} <= {record.key for record in part(records, SEARCH)} and judging
    assert [row["curve"] for row in rows] == [record.curve for record in records]
    for row in rows:
        assert row["loss"] == pytest.approx(row["dense_metric"] - row["metric"]) and row["n"] == 8
        assert row["stderr"] >= 0 and 0 <= row["label_flips"] <= 8 and row["net_saving"] <= row["pruned_share"] <= 1
        not_blocks = row["method"] == "energon" or "values" in row["curve"]  # masks that the array cannot execute
        assert (row["predicted_cycles"] == "no") == not_blocks
    with (folder / "one" / "tiny-pairs.csv").open() as file:
        assert [row["curve"] for row in csv.DictReader(file)] == [row["curve"] for row in rows]
    page = html.unescape((folder / "one" / "tiny-pairs.html").read_text())
    assert any("loss, judged by" in line for line in said), "the table is printed, too"
    assert "saved of the model, %" in page, "the axis of a figure, whose texts stay texts"
    assert "the command" in page and all(sentence in page for sentence in findings(records))
    assert said[1] == f"pairs: 8 examples, search; {N_POINTS} of {N_POINTS} points to evaluate"
    assert f"pairs: 8 examples, judged; {len(judging)} of {len(judging)} points to evaluate" in said
    assert said[-2].endswith("tiny-pairs.html, .json, .csv")


def test_record_is_what_the_method_does(folder, made):
    record = next(each for each in made[0] if each.curve == "Energon" and each.parameters["alpha"] == 0)
    task = prepare(job_of(folder)).parts[record.part].task
    method = METHODS["energon"](alpha=0.0)
    predictions = task.predict(task.model.run(task.inputs, method))
    assert record.metric == task.metric(predictions, task.labels)
    assert record.work.net_saving == method.work.net_saving and record.work.texts(1) == len(task.inputs)
    assert record.model.inner == 48 and record.row["model_saving"] == record.row["model_saving_all_rows"]


def test_chromium_shows_the_page(folder, made, chromium, tmp_path):  # noqa: F811
    """The findings, curves of HDP and of its peers, the ranking's rows, and the masks over tokens."""
    records, file = made[0], tmp_path / "compare.html"
    file.write_text((folder / "one" / "tiny-pairs.html").read_text().replace("</body>", PROBE + "</body>"))
    seen = json.loads(html.unescape(re.search("<title>(.*?)</title>", chromium("--dump-dom", file.as_uri()), re.S)[1]))
    assert len(seen["svg"]) >= 3 and all(width > 200 and height > 100 for width, height in seen["svg"])
    assert all(sentence in " ".join(seen["lead"].split()) for sentence in findings(records))
    visible = [text for text, width, height in seen["rows"] if width and height]
    for curve, record in judged(records, BUDGET).items():
        assert any(text.startswith(curve) and percent(record.model.saving) in text for text in visible)
    assert seen["strong"] and seen["overflow"] <= 0


def test_a_second_run_evaluates_nothing(folder, made, monkeypatch):
    monkeypatch.setattr("hdp_hw.study.sweep.executor", None)
    said = []
    records = compare(job_of(folder), folder / "one", ONLY, say=said.append)
    assert said[1].endswith(f" 0 of {N_POINTS} points to evaluate") and " 0 of " in said[2]
    assert [record.row for record in records] == [record.row for record in made[0]]


def test_a_killed_run_goes_on_where_it_was(folder, made, tmp_path):
    """Ten whole lines and half of one are left."""
    lines = (folder / "one" / "tiny-pairs.jsonl").read_text().splitlines(keepends=True)
    file = tmp_path / "tiny-pairs.jsonl"
    file.write_text("".join(lines[:10]) + lines[10][:50])
    said = []
    records = compare(job_of(folder), tmp_path, ONLY, jobs=2, say=said.append)
    assert said[1].endswith(f" {N_POINTS - 10} of {N_POINTS} points to evaluate")
    rows = [{**record.row, "seconds": 0} for record in records]
    assert rows == [{**record.row, "seconds": 0} for record in made[0]]
    assert len(file.read_text().splitlines()) == len(records) + 1


@pytest.mark.parametrize("change", [{"examples": 7}, {"search": 7}, {"timed_inputs": 4}, {"max_tokens": 10}])
def test_results_of_another_job_do_not_count(folder, made, change):
    cache = Results(folder / "one" / "tiny-pairs.jsonl", digest(job_of(folder, **change)))
    assert len(cache.results) == len(made[0]) and not any(cache.get(point) for point in points())


def test_built_in_examples(folder):
    prepared = prepare(job_of(folder, data=None))
    assert prepared.task.name == "passages"
    assert all(len(each.dense) == len(each.task.labels) >= 2 for each in prepared.parts.values())


def test_results_on_other_data_do_not_count(folder, made, tmp_path):
    data = write_pairs(tmp_path / "pairs.tsv", seed=2)
    cache = Results(folder / "one" / "tiny-pairs.jsonl", digest(job_of(folder, data=str(data))))
    assert not any(cache.get(point) for point in points())


def test_cluster(folder, made, tmp_path):
    """Two worker processes behind a scheduler give what one process gave."""
    distributed = pytest.importorskip("distributed", reason="the `cluster` extra is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        records = compare(job_of(folder), tmp_path, ONLY, scheduler=cluster.scheduler_address, say=lambda text: None)
    assert [{**record.row, "seconds": 0} for record in records] == [{**each.row, "seconds": 0} for each in made[0]]


def test_a_failing_point_is_named_and_the_others_are_kept(folder, tmp_path, monkeypatch):
    bad = Point.of("Energon", "energon", alpha=2.0)
    good = [Point.of("Sanger", "sanger", threshold=threshold) for threshold in (0, 0.1)]
    monkeypatch.setattr(command, "points", lambda settings, first_only: [bad, *good])
    with pytest.raises(SweepError, match="1 points failed, the first with: Energon, alpha 2: ParameterError"):
        compare(job_of(folder), tmp_path, say=lambda text: None)
    assert {row["curve"] for row in json.loads((tmp_path / "tiny-pairs.json").read_text())} == {"Sanger"}


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
    calibrated, again = compare(job, tmp_path, ["calibrated"], say=lambda text: None)
    assert (calibrated.part, again.part) == (SEARCH, JUDGED), "a single setting is judged, whatever it loses"
    assert calibrated.curve == "HDP calibrated" and calibrated.parameters == {"settings": str(file)}
    assert calibrated.work.to_lists() == same["work"]
    task = prepared.parts[SEARCH].task
    assert calibrated.metric == task.metric(same["predictions"], task.labels)
    for others, message in (({"0"}, "a file with the layers 1 too"), ({"0", "1", "2"}, "without the layers 2")):
        save_layers(tmp_path / "other.json", {name: layers.get(name, layers["0"]) for name in sorted(others)})
        with pytest.raises(ParameterError, match=message):
            compare(job_of(folder, settings=str(tmp_path / "other.json")), tmp_path, say=lambda text: None)


class Dying:
    """An evaluation that takes its process with it."""

    def __init__(self, job, point):
        os._exit(1)


def test_a_dying_process_is_said(folder, tmp_path, monkeypatch):
    only = [Point.of("Energon", "energon", alpha=0.0)]
    monkeypatch.setattr(command, "points", lambda settings, first_only: only)
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
