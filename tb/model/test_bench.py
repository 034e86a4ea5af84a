"""hdp-hw bench without its simulations: the arithmetic of the records, the tables, the README's block."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.driver.backend import HeadRecord, LayerRun
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import Mismatch
from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.stimulus import captured_heads, random_head
from hdp_hw.spec.configs import CONFIGS, vars_of
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.study.bench import area, core, layer
from hdp_hw.study.bench.records import with_block

KEYS = {
    "config", "source", "n", "d", "rule", "threshold", "kept_share", "heads_kept_share", "measured_cycles",
    "predicted_cycles", "ideal_cycles", "busy_ratio", "speedup_over_dense", "n_heads",
}  # fmt: skip


def records():
    """A dense record and one of the README's setting, of two heads in 1000 and in 400 clock cycles."""
    workload = core.Workload("tiny", "captured", 128, 32, heads=[None] * 2)

    def one(rule, share, done, kept, verdicts, ideal, dense_cycles):
        heads = [SimpleNamespace(done=d, n_kept=k, n_visited=8, verdict=v) for d, k, v in zip(done, kept, verdicts)]
        run = SimpleNamespace(heads=heads, array_time=ideal + 10)
        predicted = SimpleNamespace(done=done)
        return core.record(workload, rule, share, 0.01, {}, run, predicted, ideal, dense_cycles)

    return [
        one(Rule.DENSE, 1.0, [499, 999], [8, 8], [Verdict.DENSE] * 2, 990, None),
        one(Rule.MASS, 0.25, [299, 399], [4, 0], [Verdict.SPARSE, Verdict.PRUNED], 350, 1000),
    ]


def test_record():
    dense, pruned = records()
    assert dense.keys() >= KEYS
    assert (dense["measured_cycles"], dense["predicted_cycles"], dense["ideal_cycles"]) == (1000, 1000, 990)
    assert (dense["speedup_over_dense"], dense["kept_share"], dense["heads_kept_share"]) == (1.0, 1.0, 1.0)
    assert (pruned["rule"], pruned["source"], pruned["n_heads"]) == ("mass", "captured", 2)
    assert (pruned["speedup_over_dense"], pruned["kept_share"], pruned["heads_kept_share"]) == (2.5, 0.25, 0.5)
    assert pruned["busy_ratio"] == 350 / 360


def test_tables():
    lines = core.record_table(records()).splitlines()
    assert len(lines) == 3 and {len(line) for line in lines} == {len(lines[0])}
    made = {"config": "tiny", "device": "LFE5U-85F", "speed": 6, "luts": 10_000, "fmax_mhz": {"1": 100.0, "2": 80.0}}
    row = "| tiny | 64 | 128 x 32, captured | 500 | 200 | 99.0% / 97.2% | {} | " + core.SIMULATED["tiny"] + " |"
    for synthesised, cells in (
        ([made], "10,000 | 80.0 | 33.554 | 83.886"),  # the slowest seed
        ([made | {"fmax_mhz": {"1": None}}], "10,000 | not measured | not measured | not measured"),
        ([], "not measured | not measured | not measured | not measured"),
    ):
        table = core.readme_table(records(), {"tiny": {"multipliers": 64}}, synthesised)
        assert table.splitlines()[2:] == [row.format(cells)]


@pytest.mark.parametrize("name", CONFIGS)
def test_workloads(name):
    """Every length of every head dimension that the core takes, several heads each."""
    params = CONFIGS[name]
    made = list(core.workloads(name, params, core.LENGTHS))
    shapes = {(x.source, x.n, x.d) for x in made}
    dims = {"captured": 32, "synthetic": 64}
    assert shapes == {
        (source, n, d)
        for source, d in dims.items()
        for n in core.LENGTHS
        if n <= params.max_seq_len and d <= params.max_head_dim
    }
    for workload in made:
        assert len(workload.heads) >= core.HEADS_MIN
        assert {(head.n_q, head.head_dim) for head in workload.heads} == {(workload.n, workload.d)}


# -- layers -----------------------------------------------------------------------------------------------------------
def layer_records():
    """Records of two heads of 8 x 8 under the dense rule and with one pruned, on one core and on two."""
    params, rng = CONFIGS["tiny"], np.random.default_rng(1)
    made = layer.Layer("bert", [random_head(rng, 8, 8, 32) for _ in range(2)])
    dense = layer.case_of(made, Rule.DENSE, None, params)
    importance = [layer.case_of(made, Rule.MASS, 2.0**-31, params).results[head].theta_head / 64 for head in range(2)]
    pruned = layer.case_of(made, Rule.MASS, 2.0**-31, params, tau_head=sum(importance) / 2)
    records = []
    for n_cores, cycles in ((1, (1000, 500)), (2, (550, 400))):
        each = replace(params, n_cores=n_cores)
        for case, measured in zip((dense, pruned), cycles):
            predicted = Emulator(each).cycles(case.job, case.results)
            counters = predicted.counters | traffic(case.results, case.job.settings, each, table=case.job.has_table)
            heads = [HeadRecord(x.verdict, x.n_visited, x.n_kept, x.theta_head) for x in case.results]
            run = LayerRun(np.stack([x.output for x in case.results]), tuple(heads), counters)
            layer.check(run, case, counters, "")
            records.append(layer.record("tiny", each, case, 20, run, measured, predicted, cycles[0]))
    return records


def test_layer_record():
    dense, pruned, both, _ = layer_records()
    assert dense.keys() >= KEYS | {
        "bus_width", "n_cores", "latency", "bytes_read", "bytes_unmasked", "roofline_ratio"
    }  # fmt: skip
    # Two heads of 4 x 4 tiles, each of 8 FULL and 8 CONTEXT cycles.
    assert (dense["ideal_cycles"], dense["busy_ratio"], both["busy_ratio"]) == (512, 0.512, 512 / 2 / 550)
    assert dense["roofline_ratio"] == 0.512 and both["roofline_ratio"] == 256 / 550
    assert (dense["kept_share"], pruned["heads_kept_share"], pruned["speedup_over_dense"]) == (1.0, 0.5, 2.0)
    # Rows of 16 bytes: I and F planes of Q and K; V of 32.
    planes = 2 * 8 * 16 * 4 + 2 * 8 * 32
    assert dense["bytes_read"] == dense["bytes_unmasked"] == planes and dense["bus_cycles"] == planes // 8
    assert pruned["bytes_read"] == planes // 2 + 2 * 8 * 16 and pruned["bytes_unmasked"] == planes


def test_layer_tables():
    lines = layer.record_table(layer_records()).splitlines()
    assert len(lines) == 5 and {len(line) for line in lines} == {len(lines[0])}
    rows = layer.tables(layer_records()).splitlines()
    assert [len(rows), rows[4]] == [4 + 1 + 4, ""] and {row.count("|") for row in rows[:4]} == {11}
    assert rows[2].startswith("| tiny: bert, 8 x 32 | dense | 100% | 100% | 1,000 | 1.00 |")
    assert rows[3].split(" | ")[1:4] == ["mass, heads pruned", "50%", "50%"] and rows[3].endswith("| 33.3% |")
    assert rows[-1] == "| tiny: bert, 8 x 32 | dense | 2 | 64 | array | 550 | 1.82 | 46.5% |"


@pytest.mark.parametrize("wrong", ["output", "heads", "counters"])
def test_what_a_layer_is_held_against(wrong):
    params = CONFIGS["tiny"]
    case = layer.case_of(
        layer.Layer("bert", [random_head(np.random.default_rng(1), 8, 8, 32)]), Rule.DENSE, None, params
    )
    run = Emulator(params).run(case.job)
    counters = dict(run.counters)
    layer.check(run, case, counters, "here")
    if wrong == "output":
        run.output[0, 3, 5] += 1
    elif wrong == "heads":
        run = replace(run, heads=(run.heads[0]._replace(n_kept=15),))
    else:
        run.counters["bytes_read"] += 8
    with pytest.raises(Mismatch, match="here: "):
        layer.check(run, case, counters, "here")


@pytest.mark.parametrize("name", CONFIGS)
def test_layers(name):
    """12 heads each, of the lengths and head dimensions that the core takes."""
    made = list(layer.layers(CONFIGS[name]))
    small = [("minilm", (128, 32))]
    expected = small if name in ("tiny", "paper") else [*small, ("bert", (128, 64)), ("random", (384, 64))]
    assert [(each.source, each.shape) for each in made] == expected
    assert {len(each.heads) for each in made} == {12}
    assert list(layer.layers(CONFIGS[name], quick=True))[-1].shape[0] == 128


# -- both -------------------------------------------------------------------------------------------------------------
def test_readme_block(tmp_path):
    path = tmp_path / "README.md"
    begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    assert with_block(path, "bench", "new") == f"before\n{begin}\nnew\n{end}\nafter\n"
    for bad in ("nothing", f"{end}\n{begin}", f"{begin}\n{begin}\n{end}"):
        path.write_text(bad)
        with pytest.raises(ParameterError, match=r"readme = .*bench:begin"):
            with_block(path, "bench", "new")


@pytest.mark.parametrize("what", ["core", "layer"])
def test_refusals(what, capsys):
    """What is wrong on the command line is said before anything is built."""
    for arguments, word in (
        (["nonsense"], "CONFIG"),
        (["tiny", "TILE=3"], "tile"),
        (["--readme", "none.md"], "none.md"),
        *([(["--cores", "9"], "--cores"), (["--bus-widths", "48"], "--bus-widths")] if what == "layer" else []),
    ):
        assert main(["bench", what, *arguments]) == 2
        assert word in capsys.readouterr().err


# -- area -------------------------------------------------------------------------------------------------------------
TINY = CONFIGS["tiny"]


def synthesised(params=TINY, **changes):
    counts = {"luts": 8_000, "ffs": 2, "dsps": 64, "brams": 4}
    clock = {"device": "LFE5U-85F", "speed": 6, "fmax_mhz": {"1": 120.0, "2": None, "3": 100.0}}
    return {"config": "tiny", "parameters": vars_of(params), **clock, **counts, **changes}


def test_area_figures():
    """At the clock of the slowest seed; pruned heads count for the operations of dense ones."""
    head = SimpleNamespace(n_q=128, n_k=128, head_dim=32)
    seen = area.figures("tiny", synthesised(), head, [2**15, 2**14], 0.24)
    assert seen["mhz"] == 100 and seen["device"] == "LFE5U-85F-6" and seen["lut_inputs"] == 4
    assert (seen["operations"], seen["operations_pruned"]) == (64, 128)  # of 2^21
    assert (seen["operations_per_klut"], seen["operations_pruned_per_klut"]) == (8, 16)
    assert (seen["gops"], seen["gops_pruned"]) == pytest.approx((6.4, 12.8))
    assert (seen["gops_per_klut"], seen["gops_pruned_per_klut"]) == pytest.approx((0.8, 1.6))
    assert (seen["gops_per_dsp"], seen["gops_pruned_per_dsp"]) == pytest.approx((0.1, 0.2))
    wide = area.figures("wide", synthesised(dsps=0, device="xcup", speed=None), head, [2**15, 2**14], 0.24)
    assert wide["gops_per_dsp"] is None and wide["lut_inputs"] == 6
    dense = area.figures("dense", synthesised(fmax_mhz={"1": None}), head, [2**15])
    assert dense["operations"] == 64 and not any(dense[name] for name in ("mhz", "gops", "operations_pruned"))
    titles, *rows = area.table([seen, wide, dense])
    assert len(rows) == 3 + len(area.OTHERS) and {len(row) for row in rows} == {len(titles)}
    assert titles[7] == "24% kept" and " ".join(rows[0][6:]) == "64.00 128.00 8.00 16.00 6.40 12.80 0.80 1.60 0.10 0.20"
    assert rows[2][5:] == ["", "64.00", "", "8.00", *[""] * 7]


def test_area_cycles():
    """Of captured heads; those that keep a quarter of their blocks take much less, but not a quarter."""
    heads = area.heads_of(TINY)
    assert {(head.n_q, head.head_dim) for head in heads} == {(128, 32)}
    pruned, share = area.pruned_cycles(heads, TINY, 0.25)
    assert share == pytest.approx(0.25, abs=0.02) and 0.25 < pruned / area.dense_head_cycles(heads, TINY) < 0.5


def test_area_of_pruning():
    """What the predictor takes, and the share of blocks at which the work of a LUT is that of the core without it."""
    heads, dense = area.heads_of(TINY)[:2], replace(TINY, pruning=0)
    cycles = area.dense_head_cycles(heads, dense)

    def said(**changes):
        entries = [synthesised(), synthesised(dense, luts=6_400, dsps=60, **changes)]
        return area.cost(heads, TINY, *(area.figures("tiny", entry, heads[0], [cycles]) for entry in entries))

    line = said()
    found = re.fullmatch(
        r"tiny, LFE5U-85F-6: .* 1,600 LUTs \(25% more\) and 4 DSPs\. .* up to (\d+)% .* these clocks\.", line
    )
    up_to = int(found[1]) / 100
    assert (
        area.pruned_cycles(heads, TINY, up_to - 0.02)[0]
        < 0.8 * cycles
        < area.pruned_cycles(heads, TINY, up_to + 0.02)[0]
    )
    assert said(fmax_mhz={}) == line.replace("these", "equal")
    assert "up to 0%" in said(fmax_mhz={"1": 1000.0})


def test_area_records(tmp_path, monkeypatch, capsys):
    """Records of the same core, whatever they are called; what ``build/`` has takes the place of what is published."""
    others = (
        synthesised(device="xc7", speed=None, fmax_mhz={}),
        synthesised(CONFIGS["edge"], config="edge", fmax_mhz={}),
    )
    made = [synthesised(), *others, synthesised(replace(TINY, pruning=0), config="dense", luts=6_000)]
    monkeypatch.setattr(area.published, "read", lambda: made)
    monkeypatch.setattr(area, "BUILD", tmp_path / "build")
    monkeypatch.setattr(area, "heads_of", lambda params: captured_heads(32)[:1])
    with pytest.raises(
        ParameterError, match=r"config = 'paper' is not legal; legal: .* synthesised: dense, edge, tiny$"
    ):
        area.bench([("paper", CONFIGS["paper"])])
    (tmp_path / "build").mkdir()
    newer = {"tiny": synthesised(luts=7_000), "tiny-top": synthesised(luts=9_000, config="tiny-top", part="top")}
    for label, record in newer.items():
        (tmp_path / "build" / f"{label}-LFE5U-85F.json").write_text(json.dumps(record))
    area.bench([("mine", TINY)], 0.5, tmp_path)
    entries = json.loads((tmp_path / "area.json").read_text())
    assert [entry["design"] for entry in entries] == ["mine", "mine without predictor", "mine"]
    assert [entry["luts"] for entry in entries] == [7_000, 6_000, 8_000]
    printed = capsys.readouterr().out
    assert printed.count("pruning takes 1,000 LUTs (17% more)") == 1 and "7,000" in printed
