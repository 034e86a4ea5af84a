"""The records of synthesis that the documentation shows, and the tables of them."""

import pytest

from hdp_hw.deliver.synth import published
from hdp_hw.deliver.synth.published import (
    CONFIG_TITLES,
    SIZE_TITLES,
    config_rows,
    gops,
    publish,
    read,
    size_rows,
    sizes,
)
from hdp_hw.spec.configs import CONFIGS, vars_of
from hdp_hw.spec.params import HdpParams

PATH = {"blocks": ["array", "predictor"], "from": "a", "to": "b", "logic_ns": 4.5, "routing_ns": 5.5}


def record(config, params, device="LFE5U-85F", fmax_mhz=None, **more):
    counts = {"luts": 20_000, "lutrams": 1, "ffs": 2, "dsps": 3, "brams": 4}
    made_of = {"sha256": "abc", "versions": {"yosys": "1"}, "parameters": vars_of(params)}
    other = {"fmax_mhz": fmax_mhz or {}, "critical_path": PATH if fmax_mhz else None, "slowest": {}, "seconds": 1}
    return {"config": config, "device": device, "speed": 6, **counts, **made_of, **other, **more}


def test_publish(tmp_path):
    """A record takes the place of the one of the same configuration and device, and of no other."""
    file, tiny = tmp_path / "synthesis.json", CONFIGS["tiny"]
    for luts, device in ((1, "xc7"), (2, "LFE5U-85F"), (3, "xc7")):
        publish(record("tiny", tiny, device) | {"luts": luts}, file)
    assert [(x["device"], x["luts"]) for x in read(file)] == [("LFE5U-85F", 2), ("xc7", 3)]
    assert not any("seconds" in x for x in read(file))
    assert file.read_text().count("\n") == 4, "a line for each record"


def test_rows(monkeypatch):
    (label, params), *others = sizes().items()
    head = {"n_q": 128, "n_k": 128, "head_dim": 64, "cycles": 500_000}
    monkeypatch.setattr(published, "standard_head", lambda params: head)
    measured = record(label, params, fmax_mhz={"1": 80.0, "2": None, "3": 100.0})
    unrouted = record("tiny", CONFIGS["tiny"], "xc7", speed=None)
    first, *rest = size_rows([measured, unrouted])
    assert first == [2, 8, 32, "20,000", "2", "3", "4", 100.0, "500,000", "0.84", "0.042"]
    assert len(rest) == len(others) and all(set(row[3:]) == {"not measured", "500,000"} for row in rest)
    assert size_rows([record(label, params)])[0][-4:] == ["not measured", "500,000", "not measured", "not measured"]
    edge = record("edge", CONFIGS["edge"], fmax_mhz={"1": 80.0, "2": None})
    rows = config_rows([measured, unrouted, edge])
    assert [row[:3] for row in rows] == [["tiny", "xc7", "20,000"], ["edge", "LFE5U-85F-6", "20,000"]]
    assert rows[0][-2:] == ["not measured"] * 2
    assert rows[1][-2:] == ["80.0 (1), not routed (2)", "array → predictor: 4.5 ns logic, 5.5 ns routing"]
    assert len(rows[0]) == len(CONFIG_TITLES) and len(size_rows([measured])[0]) == len(SIZE_TITLES)


def test_operations():
    """16 digit multipliers that never wait are 4 products of operands, 8 operations, a cycle."""
    assert gops({"n_q": 128, "n_k": 128, "head_dim": 64, "cycles": 128 * 128 * 64 * 2 // 4}, 100) == pytest.approx(0.8)


def test_sizes_again(tmp_path, monkeypatch):
    """What is published of the same Verilog, tools and seeds is not synthesised again."""
    done = []

    def synthesise(label, params, device, speed, seeds, say, limit):
        done.append(label)
        return record(label, params, fmax_mhz={str(seed): 90.0 for seed in seeds})

    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(published, "SIZES", ((2, 4), (2, 8)))
    monkeypatch.setattr(published, "synthesise", synthesise)
    monkeypatch.setattr(published, "versions", lambda: {"yosys": "1"})
    digest = {2: "abc"}
    monkeypatch.setattr(published, "write_design", lambda params, folder: digest[params.tile])
    both = ["tile2-lanes4", "tile2-lanes8"]
    for seeds, expected in (([1], both), ([1], []), ([], []), ([1, 2], both)):
        done.clear()
        published.compare_sizes("LFE5U-85F", 6, seeds, say=str, limit=60)
        assert done == expected, seeds
    done.clear()
    digest[2] = "changed"
    published.compare_sizes("LFE5U-85F", 6, [1], say=str, limit=60)
    assert done == both


def test_sizes_are_legal():
    assert len(sizes()) >= 8 and all(isinstance(params, HdpParams) for params in sizes().values())
