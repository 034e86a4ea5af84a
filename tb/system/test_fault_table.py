"""hdp-hw faults, on few tries; and faults of a co-processor, of a memory and of a driver, which it must notice."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.simulation import fault_bench, fault_table
from hdp_hw.simulation.fault_bench import FaultBench, Seen
from hdp_hw.simulation.fault_table import Row
from hdp_hw.simulation.illegal_words import illegal_words
from hdp_hw.simulation.simulated_bus import SimulatedBus
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from tb.lib.simulation import ROOT

TINY = CONFIGS["tiny"]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """Where compiled models are kept."""
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(
    "overrides", [[], *(pytest.param([x], marks=pytest.mark.slow) for x in ("n_cores=2", "encoder=1"))]
)
def test_all_is_well(tmp_path, monkeypatch, capsys, overrides):
    monkeypatch.setattr(fault_table, "FOLDER", tmp_path)
    assert main(["faults", "tiny", *overrides, "--tries", "2", "--seed", "3"]) == 0
    printed = capsys.readouterr()
    facts = json.loads((tmp_path / "faults.json").read_text())
    assert facts["config"].startswith("tiny") and facts["seed"] == 3 and facts["cycles"] > 50_000
    for row in facts["faults"]:
        assert row["tries"] == row["as_expected"] == row["interrupt"] == row["next_right"] >= 2
        assert row["hung"] == row["accepted"] == 0 and row["notes"] == []
        assert row["fault"] in printed.out and f"{row['fault']}: {row['tries']} tries, all well" in printed.err
    bits = {bit for row in facts["faults"] for bit in row["expected"]} - {"none", "silence"}
    everything = {field.name for field in BY_NAME["IRQ_STATUS"].fields}
    assert bits == everything - {"job_done", "fallback", "counter_overflow", "core_error"}


def test_every_beat(monkeypatch):
    """With tries enough, each word of each plane is struck once with either response."""
    struck = []
    bench = FaultBench(TINY)
    monkeypatch.setattr(bench, "_bus_error", lambda job, offset, response: struck.append((offset, response)))
    for _, _, attempts in bench._bus_errors(1000):
        for _, attempt in attempts:
            attempt()
    words = 2 * (4 * 5 * 2 + 5 * 4 + 4 + 4 + 5 * 4)  # two heads of five rows: digits, V, entry, record, O
    assert len(struck) == len(set(struck)) == 2 * words


# -- what must be noticed ---------------------------------------------------------------------------------------------
def rows_of(bench, tries=3, only=""):
    rows = []
    for name, bits, attempts in bench.faults(tries):
        if only in name:
            rows.append(Row(name, bits))
            for what, attempt in attempts:
                rows[-1].add(what, attempt(), bench.next_job())
    assert rows
    return rows


def test_errors_that_are_not_reported(monkeypatch):
    """A memory that fails and does not say so: reads as zeros would be, but with OKAY."""
    monkeypatch.setattr(SimulatedBus, "fail", lambda *_, **__: None)
    rows = rows_of(FaultBench(TINY), only="LVERR on")
    assert not any(row.good or row.as_expected for row in rows) and all(row.next_right == row.tries for row in rows)
    assert "none" not in rows[0].notes[0] and "job_done; next job: right" in rows[0].notes[0]


def test_wrong_outputs(monkeypatch):
    """A co-processor whose every second job gives one wrong bit."""
    bench = FaultBench(TINY)
    read = bench.bus.memory.read

    def flipped(offset, n_bytes):
        content = read(offset, n_bytes)
        content[-1] ^= len(content) > 200  # of outputs, not of records
        return content

    monkeypatch.setattr(bench.bus.memory, "read", flipped)
    (row,) = rows_of(bench, only="registers written while busy")
    assert (row.good, row.accepted, row.next_right, row.as_expected) == (False, 3, 0, 3)
    assert row.notes[0] == "try 0: job_done, a wrong output accepted; next job: the output is wrong"


def test_hanging(monkeypatch):
    """A time-out that does not come."""
    monkeypatch.setattr(fault_bench, "LIMIT", 1000)
    (row,) = rows_of(FaultBench(TINY), only="time-out")
    assert (row.good, row.hung, row.as_expected) == (False, 3, 0) and row.notes[0].startswith("try 0: hung; next job: ")


@pytest.mark.parametrize(
    ("events", "interrupt", "accepted", "code"),
    [
        ({"job_done"}, True, False, 0),
        ({"job_done"}, True, True, 1),
        ({"job_done"}, False, False, 1),
        ({"job_done", "aborted"}, True, False, 1),
        (None, True, False, 1),
    ],
)
def test_exit_code(tmp_path, monkeypatch, events, interrupt, accepted, code):
    seen = Seen(events, interrupt, accepted)
    monkeypatch.setattr(fault_table, "FOLDER", tmp_path)
    monkeypatch.setattr(FaultBench, "faults", lambda self, tries: [("f", ("none",), [("w", lambda: seen)])])
    assert main(["faults"]) == code


def test_a_row_without_tries_is_not_good():
    assert not Row("f", ("none",)).good


# -- the enumeration --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "params",
    [
        *(TINY, CONFIGS["server"], replace(TINY, encoder=1)),
        replace(TINY, lanes=4, address_width=64, bus_width=128),
    ],
)
def test_illegal_words(params):
    """Each job register whose words are not all legal, and no word twice."""
    cases = illegal_words(params, 2)
    of_job = [r for r in REGISTERS if r.group in ("job", "encoder") and r.exists(params.encoder)]
    assert len(cases) == len({case[:2] for case in cases})
    free = {"JOB_ID", "TIMEOUT", "MASS"}
    if params.address_width == 64:
        free |= {r.name for r in of_job if r.name.endswith("_HIGH")}
    assert {name for name, _, _ in cases} == {r.name for r in of_job} - free
    for name, word, _ in cases:
        mask = sum(field.mask for field in BY_NAME[name].fields)
        assert word & ~mask == 0 and np.uint32(word) == word
