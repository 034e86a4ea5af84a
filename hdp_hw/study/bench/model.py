"""hdp-hw bench model: whole compiled inferences in RTL simulation, by cores and bus width, equal to the cycle model.

One start runs linear layers, attention and norms; embeddings and what follows the last layer are the host's.
"""

from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.driver.errors import Mismatch
from hdp_hw.encoder import IntegerModel
from hdp_hw.encoder.compile import compile_model
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.tiling import max_inputs
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.bench.layer import CORES, LATENCY
from hdp_hw.study.bench.records import FOLDER, aligned, say, write_records
from hdp_hw.study.encoder.calibrate import calibrate
from hdp_hw.study.encoder.compiled import KINDS, Emulated, busy_ratio
from hdp_hw.study.encoder.integer import words_of
from hdp_hw.study.models import load_model
from hdp_hw.study.tasks import load_task
from hdp_hw.study.threads import threads

DEFAULT_CONFIGS = ("edge",)
QUICK = {"vit-digits": (65,), "bert-tiny-sst2": (128,), "minilm": (32,)}  #: positions of inferences
MODELS = QUICK | {"vit-vowels": (145,), "minilm": (32, 128, 256)}
PRUNED = {"rule": "mass", "threshold": 1.0, "relative": True, "compensate": True}  #: beside dense
N_CALIBRATED = 24


@dataclass(frozen=True, eq=False)
class Case:
    """An inference. rule : of all attention layers, "dense" or that of PRUNED; words : of its embeddings."""

    model: str
    rule: str
    integer: IntegerModel
    words: np.ndarray

    def __str__(self):
        return f"{self.model}, {len(self.words)} positions, {self.rule}"


def bench(configs, bus_widths=(64,), cores=CORES, latency=LATENCY, quick=False, jobs=1):
    """Measure inferences on ``configs``, ``[(name, HdpParams)]``; print a table and write ``model.json``.

    Each core is taken with ``encoder`` = 1. bus_widths, cores : each pair of them is simulated; latency : clock cycles
    of the memory; quick : short inferences of three models; jobs : simulations at a time. Raises DriverError, Mismatch
    above all, and ParameterError.
    """
    tasks = []
    for name, params in configs:  # bad ones are refused before all the work
        variants = [replace(params, n_cores=n, bus_width=width, encoder=1) for n in cores for width in bus_widths]
        say(f"{name}: models in integers")
        models = QUICK if quick else MODELS
        cases = [case for model in models for case in cases_of(model, models[model], variants[0])]
        if not cases:
            raise ParameterError("CONFIG", name, f"one that takes one of {', '.join(MODELS)}")
        tasks += [(name, each, cases, latency) for each in variants]
    with threads(jobs) as pool:
        records = [record for of_core in pool.map(lambda task: measure(*task), tasks) for record in of_core]
    print(table(records))
    write_records(records, FOLDER / "model.json")


def cases_of(name, positions, params):
    """Dense and pruned cases of a model's longest example, cut to each of ``positions``; none if it does not fit."""
    task = load_task(None, load_model(name), None, N_CALIBRATED)
    encoder, *inputs = task.model.encoder, *sorted(task.inputs, key=task.model.encoder.seq_len)
    sizes = {
        "elements of a head": (encoder.head_dim, params.max_head_dim),
        "elements of a row": (encoder.hidden_size, params.max_features),
        "inputs of a layer": (encoder.inner_size, max_inputs(params, bits=16)),
    }
    if wrong := [f"{size} {what}, and the core takes {most}" for what, (size, most) in sizes.items() if size > most]:
        say(f"{name} does not fit: {'; '.join(wrong)}")
        return
    integer = calibrate(encoder, inputs[:-1]).model
    words = words_of(encoder.embed(inputs[-1]), integer.embedding_unit)
    layers = [replace(layer, attention=replace(layer.attention, **PRUNED)) for layer in integer.layers]
    for n in (n for n in positions if n <= min(len(words), params.max_seq_len)):
        yield Case(name, "dense", integer, words[:n])
        yield Case(name, PRUNED["rule"], replace(integer, layers=layers), words[:n])


def measure(name, params, cases, latency):
    """Records of all cases on one co-processor."""
    what = f"{name}, {params.n_cores} cores, {params.bus_width} bits"
    say(f"{what}: building the simulation")
    images = [compile_model(case.integer, params, [len(case.words)]) for case in cases]
    size = max(image.header["memory_bytes"] for image in images)
    simulation, records = Simulation(params, timing=MemoryTiming(latency, latency), size=size), []
    for case, image in zip(cases, images):
        simulated, emulated = CompiledModel(image, simulation), Emulated(image, latency)
        golden = case.integer(case.words[None], params)[0]
        for each in (simulated, emulated.compiled):
            if not np.array_equal(each(case.words), golden):
                raise Mismatch(f"{what}: {case}: hidden states differ from those of the golden model")
        for counter, count in emulated.compiled.counters.items():
            found = simulated.counters[counter]
            if found != count and not counter.startswith("stall"):  # which nothing predicts
                raise Mismatch(f"{what}: {case}: {counter} is {found}, the model has {count}")
        records.append(record(name, params, case, latency, emulated.kinds))
        say(f"{what}: {case}: {records[-1]['cycles']} cycles")
    return records


def record(name, params, case, latency, jobs):
    """One entry of model.json; of each kind of job their number and the sums of their counters.

    jobs : ``{kind: [counters]}``; a norm beside another job is part of that.
    """
    kinds = {}
    for kind, of_kind in jobs.items():
        counters = {counter: sum(job[counter] for job in of_kind) for counter in (of_kind or [{}])[0]}
        kinds[kind] = {"jobs": len(of_kind), "cycles": 0, "bytes_read": 0} | counters
    return {
        "config": name,
        "model": case.model,
        "n": len(case.words),
        "rule": case.rule,
        "n_cores": params.n_cores,
        "bus_width": params.bus_width,
        "latency": latency,
        "cycles": sum(of_kind["cycles"] for of_kind in kinds.values()),
        "busy_ratio": busy_ratio([job for of_kind in jobs.values() for job in of_kind], params.n_cores),
        **kinds,
    }


def table(records):
    """The records as text, a line each."""
    rows = [["config", "model", "n", "rule", "cores", "bus", *KINDS, "all cycles", "busy", "bytes read"]]
    for x in records:
        cells = [x[key] for key in ("config", "model", "n", "rule", "n_cores", "bus_width")]
        cells += [*(x[kind]["cycles"] for kind in KINDS), x["cycles"], f"{x['busy_ratio']:.1%}"]
        rows.append([*map(str, cells), str(sum(x[kind]["bytes_read"] for kind in KINDS))])
    return aligned(rows)
