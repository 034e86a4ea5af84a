"""hdp-hw explore: the area model, a small sweep with its files, and its words where nothing fits."""

import html
import json
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.deliver.manifest import memory_bits as bits_of_verilog
from hdp_hw.deliver.synth.published import read
from hdp_hw.deliver.synth.tools import YOSYS
from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.layer import save_layers
from hdp_hw.rtl.core.attention_core import AttentionCore
from hdp_hw.rtl.verilog import to_verilog
from hdp_hw.spec.configs import CONFIGS, load_config, vars_of
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.study.accuracy.cost import Cost
from hdp_hw.study.accuracy.linear import layer_linears
from hdp_hw.study.explore import command, synthesis
from hdp_hw.study.explore.area import OUTSIDE, PACKED, TERMS, AreaModel, Fit, committed_records, load_records
from hdp_hw.study.explore.command import explore
from hdp_hw.study.explore.memories import block_rams, memories, memory_bits
from hdp_hw.study.explore.records import Record, mark_pareto
from hdp_hw.study.explore.space import GRID, grid_of, pareto, points
from hdp_hw.study.explore.targets import TARGETS, Target
from hdp_hw.study.explore.worker import Job, evaluate, simulate
from hdp_hw.study.explore.workload import Layer, Workload, limits
from hdp_hw.study.sweep import SweepError
from tb.lib.tiny_model import write_model

JOB = Job(Workload("minilm"), 20)
SWEEP = ["tile=2,4", "lanes=16", "digit_width=4", "multiplier=18", "n_cores=1,2", "bus_width=64,100"]


# -- area -------------------------------------------------------------------------------------------------------------
def test_fit_finds_its_terms():
    """Exact where the numbers are sums of the terms; few records have few terms, and one has no error."""
    params = [HdpParams(tile=tile, lanes=lanes) for tile, lanes in ((2, 4), (2, 16), (4, 4), (4, 16), (8, 8))]
    terms = ("digit multipliers", "control", "elements of a tile")
    values = [90 * each.multipliers + 5000 + 700 * each.tile**2 for each in params]
    fit = Fit.of(terms, params, values)
    np.testing.assert_allclose(fit.coefficients, [90, 5000, 700])
    np.testing.assert_allclose(fit.errors, 0, atol=1e-9)
    assert fit(HdpParams(tile=8, lanes=64)) == 90 * 4096 + 5000 + 700 * 64
    assert Fit.of(terms, params[:2], values[:2]).terms == terms[:2]
    assert Fit.of(terms, params[:1], values[:1]).accuracy == "error not known, of one record"


def test_error_is_that_of_what_was_left_out():
    params = [HdpParams(lanes=lanes) for lanes in (4, 8, 16)]
    fit = Fit.of(("control",), params, [100, 100, 200])
    np.testing.assert_allclose(fit.errors[2], -0.5)


def test_committed_records():
    """They are those that the command makes, and the model that they give says how far it is off."""
    sample = [HdpParams(**changes) for _, changes in synthesis.SAMPLE]
    sample += [HdpParams(**record["parameters"]) for record in synthesis.core_records(read())]
    model = AreaModel.of(committed_records())
    assert all(HdpParams(**record["parameters"]) in sample for record in model.records)
    assert all("error" in error for _, _, error in model.lines()) and not model.gap(CONFIGS["tiny"])


def test_multipliers_are_counted():
    """Outside of the array, and the array's in DSPs, in every core that was synthesised."""
    for record in committed_records():
        params = HdpParams(**record["parameters"])
        if "core" in record["resources"] and params.digit_width == 4 and params.pruning:
            packed = TERMS[PACKED](params) if params.multiplier else 0
            assert TERMS[OUTSIDE](params) + packed == record["resources"]["core"]["dsps"]


def test_what_was_not_synthesised_is_said():
    model = AreaModel.of([record for record in committed_records() if "core" in record["resources"]][:1])
    assert "fewer than 2 cores of multiplier 0, digit_width 4" in model.gap(CONFIGS["paper"])
    assert ("lane", "nothing", "error not known, of no record") in model.lines()


@pytest.mark.parametrize("multipliers", [range(17), pytest.param(range(17, 5000), marks=pytest.mark.slow)], ids=str)
def test_block_rams_follow_from_memories(multipliers):
    """In every core that was synthesised; yosys drops some where heads are narrower than words, or nothing predicts."""
    cores = [record for record in committed_records() if "core" in record["resources"]]
    shapes = {HdpParams(**record["parameters"]): record["resources"]["core"]["brams"] for record in cores}
    chosen = [params for params in shapes if params.multipliers in multipliers]
    assert chosen
    for params in chosen:
        more = block_rams(memories(params)) - shapes[params]
        assert more == 0 or (more > 0 and (params.lanes > params.max_head_dim or not params.pruning))


def test_memory_bits_are_the_manifest_s():
    params = HdpParams(lanes=4, max_head_dim=16, max_seq_len=16)
    assert memory_bits(memories(params)) == bits_of_verilog(to_verilog(AttentionCore(params), "hdp_core"))


def test_measured_points_are_marked():
    """A core's numbers count for any number of cores on any bus; what lanes and top have, for these alone."""
    some = {"luts": 1000, "lutrams": 10, "ffs": 1000, "dsps": 1, "brams": 6}
    parts = {"lane": some, "top": some}
    model = AreaModel.of([*committed_records(), {"parameters": vars_of(CONFIGS["tiny"]), "resources": parts}])
    core = next(record for record in model.records if "core" in record["resources"])
    params = replace(HdpParams(**core["parameters"]), n_cores=3, bus_width=128, address_width=48)
    resources, source = model.area(params)
    own = core["resources"]["core"]
    lane, top = ({kind: model.fits[part][kind](params) for kind in model.fits[part]} for part in ("lane", "top"))
    assert source == "core measured"
    luts = own["luts"] + 6 * own["lutrams"] + lane["luts"]
    assert resources["luts"] == 3 * luts + top["luts"]
    assert resources["brams"] == 3 * (own["brams"] + lane["brams"]) + top["brams"]
    shell = {"parameters": vars_of(params), "resources": {"lane": own, "top": own}}
    resources, source = AreaModel([core, shell], {}).area(params)
    assert source == "measured" and resources["dsps"] == 7 * own["dsps"]
    for changes in ({"tile": 8}, {"max_head_dim": 16}):
        assert model.area(replace(params, **changes), core_brams=100)[1] == "fitted"


def test_records_of_place_and_route():
    """Those for an ECP5 count, without the harness, with the clock of the best seed."""
    area = dict.fromkeys(("luts", "lutrams", "ffs", "dsps", "brams"), 1)
    record = {"parameters": vars_of(CONFIGS["tiny"]), "sha256": "0", "versions": {YOSYS: "1"}, "device": "LFE5U-25F"}
    record |= {"area_by_block": {"array": area, "drain": area, "harness": area}}
    for fmax_mhz, best in (({"1": 50.0, "2": None, "3": 70.0}, 70.0), ({"1": None}, None), ({}, None)):
        larger = record | {"device": "LFE5U-85F", "fmax_mhz": fmax_mhz}
        others = [record | {"device": device} for device in ("xc7", "of another version")] + [record | {"part": "top"}]
        (found,) = synthesis.core_records([record | {"fmax_mhz": {"1": 99.0}}, larger, *others])
        assert found["fmax_mhz"] == best
    assert found["resources"] == {"core": dict.fromkeys(area, 2)}
    assert AreaModel.of([found]).area(CONFIGS["tiny"])[1] == "core measured"


def test_records_made_here_take_precedence(tmp_path):
    resources = {part: {"luts": 1} for part in committed_records()[0]["resources"]}
    values = vars_of(HdpParams(**committed_records()[0]["parameters"]))  # with parameters that the record is older than
    record = committed_records()[0] | {"parameters": values, "resources": resources}
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "record.json").write_text(json.dumps(record))
    records = load_records(tmp_path)
    assert len(records) == len(committed_records()) and record in records


@pytest.mark.parametrize(
    ("design", "counts"), [("core", {"core": 3}), ("shell", {"lane": 1, "top": 1})], ids=["core", "shell"]
)
def test_synthesis_is_not_done_twice(tmp_path, monkeypatch, design, counts):
    """What is counted are the parts without their harness; the second time nothing is run."""
    names = ("core.core.lane_0.a_LUT4", "core.core.lane_1.a_LUT4", "core.core.bank.a_LUT4", "sent_LUT4")
    lut = {"type": "LUT4", "port_directions": {"Z": "output"}}
    cells = {name: lut | {"connections": {"Z": [bit]}} for bit, name in enumerate(names)}
    netlist = {"modules": {"harness": {"cells": cells, "ports": {}}}}

    def yosys(folder, log, tool, arguments, *_):
        assert "synth_ecp5" in arguments[-1] and "module harness" in (folder / "part.v").read_text()
        (folder / "netlist.json").write_text(json.dumps(netlist))

    params = HdpParams(lanes=4, max_head_dim=16, max_seq_len=16)
    monkeypatch.setitem(synthesis.DESIGNS, "shell", AttentionCore)  # which is quicker to write
    monkeypatch.setattr(synthesis, "run", yosys)
    monkeypatch.setattr(synthesis, "version_of", lambda tool: "1")  # which the tests do without
    record = synthesis.measure(design, params, tmp_path, say=lambda text: None)
    assert {part: resources["luts"] for part, resources in record["resources"].items()} == counts
    assert record["parameters"] == vars_of(params)
    monkeypatch.setattr(synthesis, "run", None)
    assert synthesis.measure(design, params, tmp_path, say=None) == record


# -- points -----------------------------------------------------------------------------------------------------------
def test_grid():
    grid = grid_of(["tile=2,4", "MAX_SEQ_LEN=64"])
    assert grid == GRID | {"tile": (2, 4), "max_seq_len": (64,)}
    legal, refused = points(grid | {"lanes": (4, 5), "multiplier": (0,)}, {"max_head_dim": 32})
    assert len(legal) == len(refused) and all("lanes = 5" in reason for _, reason in refused)
    assert all(each.max_head_dim == 32 and each.max_seq_len == 64 for each in legal)
    for text, message in (("tiles=2", "with one of tile, lanes"), ("tile=x", "integers with commas")):
        with pytest.raises(ParameterError, match=message):
            grid_of([text])


def test_pareto():
    costs = [(3, 1), (2, 2), (1, 3), (2, 3), (3, 1), (4, 4)]
    assert pareto(costs) == [0, 1, 2]


def test_digit_widths_are_not_compared():
    def record(width, cycles, reason=""):
        values = vars_of(HdpParams(digit_width=width))
        return Record(values, reason, {"luts": 1, "dsps": 1, "brams": 1}, "fitted", {"cycles": cycles})

    records = [record(4, 10), record(8, 20), record(4, 5, "too large"), record(8, 30)]
    assert mark_pareto(records) == records[:2] and not records[2].pareto


def test_what_does_not_fit_is_named():
    device = Target("x", 100, 100, 10, 10)
    assert device.lacks({"luts": 91, "ffs": 100, "dsps": 11, "brams": 10}, 0.9) == "LUTs: 91 of 90; DSPs: 11 of 10"
    assert device.lacks({"luts": 90, "ffs": 1, "dsps": 1}, 0.9) == ""
    assert device.share({"luts": 50, "ffs": 10, "dsps": 8, "brams": 1}) == 0.8


def test_clock_frequencies_are_those_of_the_core():
    params = HdpParams(n_cores=2)
    cores = [(HdpParams(lanes=4), 50.0), (HdpParams(bus_width=32), None), (HdpParams(bus_width=32), 70.0)]
    records = [{"parameters": vars_of(core), "resources": {"core": {}}, "fmax_mhz": mhz} for core, mhz in cores]
    records.insert(0, {"parameters": vars_of(params), "resources": {"core": {}}})
    model = AreaModel(records, {})
    assert model.fmax(params) == 70.0 and model.fmax(replace(params, tile=4)) is None


def test_limits():
    def layer(n, d):
        return Layer(*np.zeros((3, 2, n, d)), None, [])

    assert limits([layer(20, 8), layer(9, 32)]) == {"max_head_dim": 32, "max_seq_len": 24}
    assert limits([layer(3, 8)]) == {"max_head_dim": 16, "max_seq_len": 16}


@pytest.fixture(scope="module", autouse=True)
def committed_records_only():
    """What was synthesised here must not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "load_records", committed_records)
        yield


# -- a sweep ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``(folder, records, what was said)``."""
    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    folder, said = tmp_path_factory.mktemp("explore"), []
    (folder / "mine.toml").write_text("tile = 2\n")
    (folder / "stale.toml").write_text("# hdp-hw explore: of an earlier run\ntile = 2\n")
    return folder, explore(JOB, grid_of(SWEEP), "ecp5-85", folder, command="the command", say=said.append), said


def test_every_point_is_there(made):
    folder, records, said = made
    facts = json.loads((folder / "explore.json").read_text())
    assert len(facts) == len(records) == 8
    assert sum("bus_width = 100 is not legal" in each["reason"] for each in facts) == 4
    assert "8 points, 4 not legal, 4 legal" in said[0]
    assert all(each["reason"] or each["cycles"] for each in facts)


def test_what_pruning_saves_of_the_model(made):
    """Of each point, and in words of the fastest; the layer has MiniLM's size, 128 positions long."""
    _, records, said = made
    points = [record for record in records if record.result]
    for record in points:
        params, model = HdpParams(**record.values), record.result["model"]
        assert model["macs_share"] == pytest.approx(2 * 128 / (12 * 384 + 2 * 128))
        assert model["attention"]["cycles"] == record.result["cycles"]
        linear = sum((each.cost(params) for each in layer_linears(384, 1536, 128)), Cost())
        assert model["linear"] == vars(linear)
        (layer,) = JOB.workload.layers
        settings, results = layer.attend(params, dense=True)
        heads = [results[head] for head in range(12)]
        dense = Emulator(params, 20, 20).cycles(LayerJob(*layer.integers(params), settings), heads).interrupt
        assert model["dense"]["cycles"] == dense > record.result["cycles"]
        saved = (dense - record.result["cycles"]) / (dense + linear.cycles)
        assert model["cycles_saving"] == pytest.approx(saved) and f"{100 * saved:.1f} %" in record.cells
    fastest = min((record for record in points if record.pareto), key=lambda record: record.result["cycles"])
    (sentence,) = [line for line in said if line.startswith(f"{fastest.label}: There, attention is ")]
    assert f"of the model's {fastest.result['model']['cycles_saving']:.1%}, of the bytes" in sentence
    assert "hdp-hw run has those that a co-processor takes" in sentence


def test_files_of_pareto_points(made):
    """Each is a configuration, and there are no others but the user's own; the page has them too."""
    folder, records, said = made
    found = [record for record in records if record.pareto]
    assert {path.stem for path in folder.glob("*.toml")} == {"mine", *(record.label for record in found)}
    for record in found:
        assert vars_of(load_config(str(folder / f"{record.label}.toml"))[1]) == record.values
    page = html.unescape((folder / "explore.html").read_text())
    assert "the command" in page and all(record.label in page for record in records)
    assert (folder / "pareto.svg").read_text() in (folder / "explore.html").read_text()
    errors = [error for _, _, error in AreaModel.of(committed_records()).lines()]
    assert errors and all(any(line.endswith(error) for line in said) for error in errors), "the model's errors"


def test_a_second_run_evaluates_nothing(made, monkeypatch):
    folder, records, _ = made
    monkeypatch.setattr("hdp_hw.study.sweep.executor", None)
    said = []
    again = explore(JOB, grid_of(SWEEP), "ecp5-85", folder, say=said.append)
    assert "; 0 of them to evaluate" in said[1]
    assert [record.facts() for record in again] == [record.facts() for record in records]


def test_points_are_checked(made, tmp_path, monkeypatch):
    """Predicted and measured numbers are printed, and the measured areas are what counts."""
    resources = {"luts": 9000, "lutrams": 100, "ffs": 9000, "dsps": 10, "brams": 10}

    def measured(design, params, say):
        parts = ["core"] if design == "core" else ["lane", "top"]
        return {"parameters": vars_of(params), "resources": dict.fromkeys(parts, resources)}

    monkeypatch.setattr(command, "measure", measured)
    monkeypatch.setattr(command, "simulate", lambda job, params: 1234)
    said = []
    (tmp_path / "points.jsonl").write_text((made[0] / "points.jsonl").read_text())
    records = explore(JOB, grid_of(SWEEP), "ecp5-85", tmp_path, check=True, say=said.append)
    (fastest, *_) = (record for record in records if record.pareto)
    assert fastest.source == "measured" and fastest.resources["luts"] == (2 * fastest.values["n_cores"] + 1) * 9600
    assert any("cycles" in line and "predicted, 1,234 measured" in line for line in said)
    assert "Predictions against simulation and synthesis" in (tmp_path / "explore.html").read_text()


def test_nothing_fits(tmp_path):
    with pytest.raises(SweepError, match=r"nothing fits LFE5U-25F: LUTs: .* of 2,429"):
        explore(
            JOB, grid_of(["tile=8", "lanes=64", "multiplier=0"]), "ecp5-25", tmp_path, fill=0.1, say=lambda text: None
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "xc7"], f"legal: {', '.join(TARGETS)}"),
        (["--sweep", "cores=1"], "with one of tile, lanes"),
        (["--workload", "nothing"], "minilm, wide or a settings file"),
        (["--workload", "settings.json"], "the model that the settings file was made for"),
    ],
)
def test_command_line_refuses(tmp_path, capsys, arguments, message):
    assert main(["explore", *arguments, "-o", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


# -- predictions ------------------------------------------------------------------------------------------------------
def test_workload_of_a_settings_file(tmp_path):
    """Its layers are the model's, their cycles those of each layer after the other."""
    model = str(write_model(tmp_path / "tiny"))
    data = tmp_path / "texts.txt"
    data.write_text("1 2 3 4 5 6 7\n3 1 2\n")
    layer = replace(Workload("minilm").layers[0].settings, q_absmax=3.0, k_absmax=3.0, v_absmax=3.0)
    save_layers(tmp_path / "settings.json", {"0": layer, "1": layer.dense()})
    workload = Workload(str(tmp_path / "settings.json"), model, str(data), 2)
    assert [len(layer.q[0]) for layer in workload.layers] == [7, 7, 3, 3]
    assert str(workload).endswith(
        "texts: 2 texts without labels; text in column 1, no label; a text a line, no heading; "
        "none cut to 24 tokens; fidelity"
    )
    one = replace(workload, n_inputs=1)
    assert "1 of 2 examples, drawn with seed 0" in str(one) and len(one.layers) == 2
    assert [layer.settings.rule for layer in workload.layers] == [Rule.MASS, Rule.DENSE] * 2
    params = HdpParams(**limits(workload.layers))
    assert evaluate(Job(workload, 1), params)["cycles"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"tile": 4, "lanes": 8, "n_cores": 2}])
def test_cycles_are_those_of_the_rtl(changes):
    """Predicted cycles of two points are those that the co-processor takes."""
    params = replace(CONFIGS["tiny"], **changes)
    assert simulate(JOB, params) == evaluate(JOB, params)["cycles"]
