"""Runs of a job on two back ends."""

import numpy as np


def same(simulation, emulator, job):
    """The simulation's LayerRun, found to be the emulator's: results, records, and the counters that it predicts."""
    run, expected = simulation.run(job), emulator.run(job)
    np.testing.assert_array_equal(run.output, expected.output)
    assert run.heads == expected.heads and (run.norm is None) == (expected.norm is None)
    for got, golden in zip(run.norm or (), expected.norm or ()):
        np.testing.assert_array_equal(got, golden)
    assert {name: run.counters[name] for name in expected.counters} == expected.counters
    return run
