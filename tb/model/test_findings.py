"""What hdp-hw compare says in words: which settings are chosen, who wins, and whose choice fails on other examples."""

import numpy as np

from hdp_hw.study.compare.findings import best, chosen, curves, findings, judged, part
from hdp_hw.study.compare.records import Record
from hdp_hw.study.compare.sweep import JUDGED, SEARCH
from hdp_hw.study.peers.cost import Work
from hdp_hw.study.peers.model_work import ModelWork


def record(curve, method, saving, loss, stderr=0.001, name=SEARCH):
    """Of a model that is attention and a layer of weights, as much work each."""
    work = Work()
    rows = dict.fromkeys(("dense_rows", "projected", "joined", "rows"), 1)
    work.add(0, texts=np.ones(1), dense_cost=8.0, dense_macs=8.0, cost=8 - 16 * saving, **rows)
    parameters = {"x": saving}  # as large as the setting is
    return Record(curve, method, parameters, name, 100, 0.9 - loss, 0.9, loss, stderr, 3, 1.0, ModelWork(work, 1, 2))


def both(curve, method, saving, loss, stderr=0.001, later=None):
    """The records of a setting on the examples that choose, and on those that judge, where it loses ``later``."""
    losses = (loss, loss if later is None else later)
    return [record(curve, method, saving, each, stderr, name) for each, name in zip(losses, (SEARCH, JUDGED))]


HDP = [
    *both("HDP mass", "hdp", 0.2, 0.003),
    *both("HDP mass", "hdp", 0.3, 0.009),
    *both("HDP mass", "hdp", 0.35, 0.03),
]


def test_best():
    """A loss counts with its standard error: luck with few examples is no saving."""
    search = part(HDP, SEARCH)
    assert best(search, 0.01) is HDP[2] and best(search, 0.001) is None
    peer, lucky, nothing = (
        both("A3", "a3", 0.32, 0.009),
        both("Energon", "energon", 0.4, 0, 0.02) + both("Energon", "energon", 0.45, 0, 0.02),
        both("Sanger", "sanger", -0.1, 0) + both("Sanger", "sanger", -0.2, 0),
    )
    every = [*HDP, *peer, *lucky, *nothing]
    assert chosen(every, 0.01) == {"A3": peer[0], "HDP mass": HDP[2]}
    assert judged(every, 0.01) == {"A3": peer[1], "HDP mass": HDP[3]}
    assert curves(every) == ["HDP mass", "A3", "Energon", "Sanger"]


def test_a_single_setting_is_judged_whatever_it_loses():
    calibrated = both("HDP calibrated", "hdp", 0.4, 0.5)
    assert chosen([*HDP, *calibrated], 0.01)["HDP calibrated"] is calibrated[0]
    assert "they lose more than is allowed: HDP calibrated" in findings(calibrated)[1]


def test_a_winning_peer_is_said():
    half, one, two = findings([*HDP, *both("A3", "a3", 0.32, 0.009), *both("oracle", "oracle", 0.45, 0)])
    start = "At 0.5 points lost or less, HDP saves most: HDP mass, x 0.2: 20.0 % of the model saved, 0.30 +- 0.10"
    assert half.startswith(start) and "No peer saves anything" in half
    assert one.startswith("At 1 points lost or less, a peer wins: A3, x 0.32: 32.0 % of the model saved")
    assert "HDP's best is HDP mass, x 0.3" in one and "a peer wins: A3" in two


def test_a_losing_peer_is_said():
    _, one, _ = findings([*HDP, *both("A3", "a3", 0.25, 0.009)])
    assert one.endswith("The best peer is A3, x 0.25: 25.0 % of the model saved, 0.90 +- 0.10 points lost.")


def test_a_choice_that_fails_is_said():
    """It saves most on the examples that chose it, and loses too much on others."""
    _, one, _ = findings([*HDP, *both("A3", "a3", 0.32, 0.009, later=0.02)])
    assert "HDP saves most: HDP mass, x 0.3" in one and "No peer saves anything" in one
    assert one.endswith(
        "they lose more than is allowed: A3, x 0.32: 32.0 % of the model saved, 2.00 +- 0.10 points lost."
    )
    _, one, _ = findings([*HDP, *both("A3", "a3", 0.25, 0.009, later=0.02)])
    assert one.endswith("No peer saves anything."), "it would not have won"


def test_nothing_saved_is_said():
    assert findings(both("A3", "a3", 0.25, 0.4))[1].startswith("At 1 points lost or less, no method saves anything.")
    assert "HDP saves nothing." in findings(both("A3", "a3", 0.25, 0))[0]
