"""Compiled models on the simulated co-processor: bits of the golden model, and all counters of the emulator."""

from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.driver import JobError
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.spec.formats import DESCRIPTOR_BYTES
from hdp_hw.spec.register_map import BY_NAME
from tb.lib.compiled_models import MASS, NARROW, PARAMS, WIDE, checked, example_of
from tb.lib.simulation import MODELS, link_models


def simulated(example, latency=1):
    """CompiledModel on hdp_top, with as much memory as it takes."""
    timing = MemoryTiming(latency, latency)
    size = example.image.header["memory_bytes"]
    return CompiledModel(example.image, Simulation(example.image.params, cache=MODELS, timing=timing, size=size))


def same(example, inputs, latency=1):
    """One start an input; what the emulator does not count are stalls."""
    on_hardware = simulated(example, latency)
    emulated = example.on(example.bus(read_latency=latency, write_latency=latency))
    for words in inputs:
        np.testing.assert_array_equal(checked(example, on_hardware, words), emulated(words))
        expected = {name: n for name, n in emulated.counters.items() if not name.startswith("stall")}
        assert {name: on_hardware.counters[name] for name in expected} == expected


@pytest.mark.parametrize(("kind", "n_labels", "prune"), [("bert", 0, MASS), ("vit", 3, None)])
def test_whole_models(kind, n_labels, prune):
    example = example_of(kind, n_labels, prune=prune)
    short = example.inputs[0][:6] if kind == "bert" else example.inputs[1]
    same(example, [max(example.inputs, key=len), short], 20)


@pytest.mark.slow
@pytest.mark.parametrize("prune", [None, MASS], ids=["dense", "pruned"])
def test_norms_beside_other_jobs(prune):
    """A layer is several jobs of rows, and norms of some run beside jobs of others."""
    example = example_of("bert", params=NARROW, prune=prune, **WIDE)
    same(example, example.inputs[:2], 7)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cores", "bus_width"), [(2, 32), (2, 128)])
def test_cores_and_buses(n_cores, bus_width):
    example = example_of("roberta", 3, replace(PARAMS, n_cores=n_cores, bus_width=bus_width), MASS)
    same(example, example.inputs[:2], 7)


def test_a_memory_that_stalls():
    """It changes clock cycles alone."""
    example = example_of("bert")
    on_hardware = simulated(example)
    on_hardware.backend.bus.timing = MemoryTiming(9, 5, ar=0.3, r=0.2, aw=0.3, w=0.2, b=0.3)
    checked(example, on_hardware, example.inputs[0])


def test_a_failure_names_the_job():
    """And an image that is loaded again runs."""
    example = example_of("bert")
    on_hardware = simulated(example)
    second = example.image.chain_of(16)["first"] + DESCRIPTOR_BYTES
    place = second + BY_NAME["N_K"].address - BY_NAME["JOB_ID"].address
    on_hardware.backend.bus.memory.write(place, np.full(2, 255, np.uint8))
    with pytest.raises(JobError, match="bad_settings in job 2"):
        on_hardware(np.concatenate(example.inputs)[:16])
    checked(example, CompiledModel(example.image, on_hardware.backend), example.inputs[0])


def test_command(tmp_path, capsys, monkeypatch):
    """hdp-hw run of a folder on the simulation: it compares bits and clock cycles itself."""
    pytest.importorskip("safetensors")
    link_models(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["compile", "vit-digits", "tiny", "--examples", "24", "-o", "compiled"]) == 0
    assert main(["run", "compiled", "--backend", "simulation", "--examples", "24"]) == 0
    assert "1 inference, simulation, took" in capsys.readouterr().out
    run = CompiledModel.__call__

    def wrong(self, words):
        return run(self, words) ^ isinstance(self.backend, Simulation)

    monkeypatch.setattr(CompiledModel, "__call__", wrong)
    assert main(["run", "compiled", "--backend", "simulation", "--examples", "24"]) == 1
    assert "inference 1: hidden states differ from those of the golden model" in capsys.readouterr().err
