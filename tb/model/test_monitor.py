"""The monitor: bounds, drift, the fail-safe and the log: hdp_hw/driver/monitor.py."""

import json
import warnings
from datetime import datetime

import numpy as np
import pytest

from hdp_hw.driver import Bounds, DriftError, DriftWarning, Emulator, HdpDriver, LayerSettings, Monitor
from hdp_hw.driver.driver import Statistics
from hdp_hw.driver.monitor import excesses
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule, Verdict

LAYER = LayerSettings(1.0, 1.0, 1.0, "mass", 0.1, name="3")
BOUNDS = Bounds(kept_share=(0.2, 0.4), pruned_heads=(0, 1), fallbacks=0)


def statistics(kept=(3, 3), verdicts=(Verdict.SPARSE, Verdict.SPARSE), rule=Rule.MASS):
    """Of heads of 10 blocks each."""
    heads = {"verdicts": verdicts, "kept": kept, "visited": (10,) * len(kept), "theta_heads": (0,) * len(kept)}
    traffic = {"bytes_read": 5, "bytes_written": 6, "bytes_unmasked": 7}
    return Statistics("3", rule, **heads, cycles=9, busy={}, stalls={}, **traffic, saturations={})


GOOD, BAD = statistics(), statistics(kept=(9, 9))


def observe(monitor, seen):
    """Texts, and messages of the DriftWarnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = monitor.observe(LAYER, seen)
    assert {warning.category for warning in caught} <= {DriftWarning}
    return found, [str(warning.message) for warning in caught]


# -- bounds -----------------------------------------------------------------------------------------------------------
PRUNED, FALLBACK = (Verdict.PRUNED,) * 2, (Verdict.SPARSE, Verdict.FALLBACK)


@pytest.mark.parametrize(
    ("seen", "bounds", "texts"),
    [
        (GOOD, BOUNDS, []),
        (statistics(kept=(2, 2)), BOUNDS, []),
        (statistics(kept=(2, 1)), BOUNDS, ["kept share is 0.15, not 0.2 to 0.4"]),
        (BAD, BOUNDS, ["kept share is 0.9, not 0.2 to 0.4"]),
        (
            statistics((0, 0), PRUNED),
            BOUNDS,
            ["kept share is 0, not 0.2 to 0.4", "number of pruned heads is 2, not 0 to 1"],
        ),
        (statistics((1, 5), FALLBACK), BOUNDS, ["number of fall-backs is 1, not 0 to 0"]),
        (GOOD, Bounds(head_shares=((0.0, 0.25), (0.0, 1.0))), ["kept share of head 0 is 0.3, not 0 to 0.25"]),
        (statistics((3, 9), FALLBACK), Bounds(head_shares=((0.0, 0.3),) * 2, fallbacks=1), []),
        (BAD, Bounds(), []),
    ],
)
def test_excesses(seen, bounds, texts):
    assert excesses(seen, bounds) == texts


def test_bounds_of_another_number_of_heads():
    with pytest.raises(
        ParameterError, match=r"bounds\.head_shares = '3 pairs' is not legal; legal: one for each of 2 heads"
    ):
        excesses(GOOD, Bounds(head_shares=((0, 1),) * 3))


def test_bounds_of_runs():
    runs = [
        statistics(kept=(3, 1)),
        statistics(kept=(0, 5), verdicts=(Verdict.PRUNED, Verdict.SPARSE)),
        statistics((9, 10), FALLBACK),
    ]
    bounds = Bounds.of(runs, slack=0.05)
    assert bounds.kept_share == pytest.approx((0.15, 1.0)) and bounds.head_shares[0] == pytest.approx((0.0, 0.95))
    assert (bounds.pruned_heads, bounds.fallbacks) == ((0, 1), 1)
    assert not any(excesses(run, bounds) for run in runs)
    assert excesses(statistics(kept=(0, 1)), Bounds.of(runs, slack=0.0))


# -- drift ------------------------------------------------------------------------------------------------------------
def test_warn_after_patience():
    """Runs within bounds begin the count anew."""
    monitor = Monitor({"3": BOUNDS}, patience=3)
    for seen in (BAD, BAD, GOOD, BAD, BAD):
        assert observe(monitor, seen)[1] == []
        assert monitor.choose(LAYER) is LAYER
    found, messages = observe(monitor, BAD)
    assert found == ["kept share is 0.9, not 0.2 to 0.4"]
    assert messages == ["layer '3', 3 runs in a row: kept share is 0.9, not 0.2 to 0.4"]
    assert len(observe(monitor, BAD)[1]) == 1 and observe(monitor, GOOD) == ([], [])


def test_raise():
    monitor = Monitor({"3": BOUNDS}, on_drift="raise", patience=1)
    with pytest.raises(DriftError, match=r"layer '3', 1 runs in a row: kept share is 0.9"):
        monitor.observe(LAYER, BAD)
    monitor.observe(LAYER, GOOD)


def test_dense_with_hysteresis():
    monitor = Monitor({"3": BOUNDS}, on_drift="dense", patience=2, hold=3)
    dense = statistics((10, 10), (Verdict.DENSE,) * 2, Rule.DENSE)
    assert observe(monitor, BAD)[1] == []
    assert observe(monitor, BAD)[1][0].endswith("; the next 3 runs are dense")
    for trial, after in ((BAD, 1), (GOOD, 0)):  # a trial out of bounds is one too many; one within ends it
        for _ in range(3):
            assert monitor.choose(LAYER) == LAYER.dense()
            assert observe(monitor, dense) == ([], [])
        assert monitor.choose(LAYER) is LAYER
        assert len(observe(monitor, trial)[1]) == after
    assert observe(monitor, BAD)[1] == [] and monitor.choose(LAYER) is LAYER
    assert len(observe(monitor, BAD)[1]) == 1 and monitor.choose(LAYER) == LAYER.dense()


def test_layers_have_states_of_their_own():
    other = LayerSettings(1.0, 1.0, 1.0, "mass", 0.1, name="4", bounds=BOUNDS)
    monitor = Monitor({"3": BOUNDS}, on_drift="dense", patience=1)
    observe(monitor, BAD)
    assert monitor.choose(LAYER) == LAYER.dense() and monitor.choose(other) is other
    with pytest.warns(DriftWarning, match="layer '4'"):
        monitor.observe(other, BAD)  # by the bounds of its own settings
    assert monitor.choose(other) == other.dense()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"on_drift": "panic"}, "parameter on_drift = 'panic' is not legal; legal: warn, dense, raise"),
        ({"patience": 0}, "parameter patience = 0 is not legal; legal: at least 1"),
        ({"hold": 0}, "parameter hold = 0"),
    ],
)
def test_refused(arguments, text):
    with pytest.raises(ParameterError, match=text):
        Monitor(**arguments)


# -- the log ----------------------------------------------------------------------------------------------------------
def test_log(tmp_path):
    path = tmp_path / "log.jsonl"
    monitor = Monitor({"3": BOUNDS}, path, on_drift="dense", patience=2, hold=1)
    dense = statistics((10, 10), (Verdict.DENSE,) * 2, Rule.DENSE)
    for seen in (GOOD, BAD, BAD, dense, GOOD):
        observe(monitor, seen)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["action"] for record in records] == ["none", "none", "dense", "dense", "none"]
    assert [bool(record["drift"]) for record in records] == [False, True, True, False, False]
    assert [record["rule"] for record in records] == ["mass", "mass", "mass", "dense", "mass"]
    first = records[0]
    assert datetime.fromisoformat(first.pop("time")).tzinfo
    assert first == {
        "layer": "3", "rule": "mass", "kept_share": 0.3, "head_shares": [0.3, 0.3], "verdicts": ["sparse", "sparse"],
        "cycles": 9, "bytes_read": 5, "bytes_unmasked": 7, "saturations": {}, "drift": [], "action": "none",
    }  # fmt: skip


def test_unbounded_layer_is_only_logged(tmp_path):
    monitor = Monitor(log=tmp_path / "log.jsonl", on_drift="raise", patience=1)
    assert monitor.observe(LAYER, BAD) == [] and len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_drift_of_a_layer_that_runs():
    """Sharp calibration data, then flat data: after ``patience`` runs the layer is dense."""
    rng = np.random.default_rng(1)
    sharp, flat = (factor * rng.standard_normal((3, 2, 32, 32)) for factor in (3, 0.3))
    layer = LayerSettings.fit(*sharp, rule="mass", threshold=0.05, name="3")
    calibration = [HdpDriver(Emulator("tiny")).attend(*sharp, layer)[1]]
    monitor = Monitor({"3": Bounds.of(calibration)}, on_drift="dense", patience=2, hold=1)
    driver = HdpDriver(Emulator("tiny"), monitor)
    rules = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for tensors in (sharp, flat, flat, flat, sharp, sharp):
            rules.append(driver.attend(*tensors, layer)[1].rule)
    assert rules == [Rule.MASS] * 3 + [Rule.DENSE] + [Rule.MASS] * 2 and len(caught) == 1
