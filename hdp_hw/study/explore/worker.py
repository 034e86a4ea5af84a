"""One co-processor of a sweep, in whichever process."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.simulation.simulated_bus import MemoryTiming
from hdp_hw.simulation.simulation import Simulation
from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.model_cost import ModelCost
from hdp_hw.study.explore.memories import block_rams, memories, memory_bits
from hdp_hw.study.explore.space import CORE
from hdp_hw.study.explore.workload import Workload


@dataclass(frozen=True)
class Job:
    """What all points share. latency : clock cycles in which the memory answers, see golden.cycles.shell.memory."""

    workload: Workload
    latency: int


def evaluate(job, params):
    """``{"cycles", "model", "kept_share", "output_error", "memory_bits", "core_brams"}`` of a co-processor.

    cycles : of the workload's attention, from each layer's start bit to its interrupt; model : facts of its ModelCost,
    beside the linear layers; kept_share : of the blocks; output_error : relative, against attention in float64, the
    mean over heads; memory_bits, core_brams : of one of the cores. Raises ParameterError.
    """
    model, shares, errors = ModelCost(), [], []
    for layer in job.workload.layers:
        cost, results = layer.model_cost(params, job.latency)
        model += cost
        shares += (results.n_kept / results.n_visited).tolist()
        errors += layer.errors(results.output, params)
    means = {"kept_share": float(np.mean(shares)), "output_error": float(np.mean(errors))}
    alone = HdpParams(**{name: getattr(params, name) for name in CORE})
    return {"cycles": model.attention.cycles, "model": model.facts(), **means, **_memory(alone)}


def simulate(job, params):
    """Clock cycles that the RTL of a co-processor takes for the workload, compiled by Verilator.

    Raises SimulatorMissing, BuildError, ParameterError.
    """
    simulation, cycles = Simulation(params, timing=MemoryTiming(job.latency, job.latency)), 0
    for layer in job.workload.layers:
        simulation.run(LayerJob(*layer.integers(params), layer.head_settings(params)))
        cycles += simulation.bus.job_cycles
    return cycles


@cache
def _memory(params):
    shapes = memories(params)
    return {"memory_bits": memory_bits(shapes), "core_brams": block_rams(shapes)}
