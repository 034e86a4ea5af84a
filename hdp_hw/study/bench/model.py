"""hdp-hw bench model: whole inferences in RTL simulation, by cores and bus width, equal to the cycle model.

Linear layers and attention run on the simulated co-processor; normalisation, embeddings and what follows the last layer
on the host, whose time nobody counts.
"""

from dataclasses import dataclass, replace

from hdp_hw.driver.driver import MODES
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import Mismatch
from hdp_hw.encoder import Coprocessor, IntegerModel
from hdp_hw.encoder.coprocessor import KINDS
from hdp_hw.encoder.tiling import max_inputs
from hdp_hw.simulation import MemoryTiming, Simulation
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.bench.layer import CORES, LATENCY
from hdp_hw.study.bench.records import FOLDER, aligned, say, write_records
from hdp_hw.study.encoder.calibrate import calibrate
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.models import Encoder, load_model
from hdp_hw.study.tasks import load_task
from hdp_hw.study.threads import threads

DEFAULT_CONFIGS = ("edge",)
MODELS = {"vit-digits": 65, "vit-vowels": 145, "bert-tiny-sst2": 128, "minilm": 32}  #: positions of an inference
QUICK = ("vit-digits", "bert-tiny-sst2")
PRUNED = {"rule": "mass", "threshold": 1.0, "relative": True, "compensate": True}  #: beside dense
N_CALIBRATED = 24


@dataclass(frozen=True, eq=False)
class Case:
    """An inference. rule : of all attention layers, "dense" or that of PRUNED."""

    model: str
    rule: str
    encoder: Encoder
    integer: IntegerModel
    example: object

    def __str__(self):
        return f"{self.model}, {self.encoder.seq_len(self.example)} positions, {self.rule}"


def bench(configs, bus_widths=(64,), cores=CORES[:2], latency=LATENCY, quick=False, jobs=1):
    """Measure inferences on ``configs``, ``[(name, HdpParams)]``; print a table and write ``model.json``.

    Each core is taken with ``encoder`` = 1. bus_widths, cores : each pair of them is simulated; latency : clock cycles
    of the memory; quick : two of the models; jobs : simulations at a time. Raises DriverError, Mismatch above all, and
    ParameterError.
    """
    tasks = []
    for name, params in configs:  # bad ones are refused before all the work
        variants = [replace(params, n_cores=n, bus_width=width, encoder=1) for n in cores for width in bus_widths]
        say(f"{name}: models in integers")
        cases = [case for model in (QUICK if quick else MODELS) for case in cases_of(model, variants[0])]
        if not cases:
            raise ParameterError("CONFIG", name, f"one that takes one of {', '.join(MODELS)}")
        tasks += [(name, each, cases, latency) for each in variants]
    with threads(jobs) as pool:
        records = [record for of_core in pool.map(lambda task: measure(*task), tasks) for record in of_core]
    print(table(records))
    write_records(records, FOLDER / "model.json")


def cases_of(name, params):
    """Cases of a model: its longest example, cut to MODELS' positions, dense and pruned; none if it does not fit."""
    task = load_task(None, load_model(name), min(MODELS[name], params.max_seq_len), N_CALIBRATED)
    encoder, *inputs = task.model.encoder, *sorted(task.inputs, key=task.model.encoder.seq_len)
    if encoder.head_dim > params.max_head_dim or encoder.inner_size > max_inputs(params, bits=16):
        say(f"{name} does not fit: d = {encoder.head_dim}, {encoder.inner_size} inputs")
        return
    integer = calibrate(encoder, inputs[:-1]).model
    layers = [replace(layer, attention=replace(layer.attention, **PRUNED)) for layer in integer.layers]
    yield Case(name, "dense", encoder, integer, inputs[-1])
    yield Case(name, PRUNED["rule"], encoder, replace(integer, layers=layers), inputs[-1])


def measure(name, params, cases, latency):
    """Records of all cases on one co-processor."""
    what = f"{name}, {params.n_cores} cores, {params.bus_width} bits"
    say(f"{what}: building the simulation")
    backends = Simulation(params, timing=MemoryTiming(latency, latency)), Emulator(params, latency, latency)
    records = []
    for case in cases:
        simulated, emulated = (Coprocessor(backend) for backend in backends)
        golden, *hidden = (
            IntegerEncoder(case.encoder, case.integer, params, coprocessor=each)(case.example)
            for each in (None, simulated, emulated)
        )
        if any((each != golden).any() for each in hidden):
            raise Mismatch(f"{what}: {case}: hidden states differ from those of the golden model")
        for kind, counters in emulated.counters.items():
            for counter, count in counters.items():
                if simulated.counters[kind][counter] != count:
                    found = simulated.counters[kind][counter]
                    raise Mismatch(f"{what}: {case}: {kind}: {counter} is {found}, the model has {count}")
        records.append(record(name, params, case, latency, simulated))
        say(f"{what}: {case}: {sum(records[-1][kind]['cycles'] for kind in KINDS)} cycles")
    return records


def record(name, params, case, latency, run):
    """One entry of model.json; of each kind of job their number and the sums of their counters."""
    kinds = {kind: {"jobs": run.jobs[kind], **run.counters[kind]} for kind in KINDS}
    busy = sum(of_kind[f"busy_{mode}"] for of_kind in kinds.values() for mode in MODES)
    cycles = sum(of_kind["cycles"] for of_kind in kinds.values())
    return {
        "config": name,
        "model": case.model,
        "n": case.encoder.seq_len(case.example),
        "rule": case.rule,
        "n_cores": params.n_cores,
        "bus_width": params.bus_width,
        "latency": latency,
        "cycles": cycles,
        "busy_ratio": busy / params.n_cores / cycles,
        **kinds,
    }


def table(records):
    """The records as text, a line each."""
    rows = [["config", "model", "n", "rule", "cores", "bus", "linear", "attention", "all cycles", "busy", "bytes read"]]
    for x in records:
        cells = [x[key] for key in ("config", "model", "n", "rule", "n_cores", "bus_width")]
        cells += [x["linear"]["cycles"], x["attention"]["cycles"], x["cycles"], f"{x['busy_ratio']:.1%}"]
        rows.append([*map(str, cells), str(sum(x[kind]["bytes_read"] for kind in KINDS))])
    return aligned(rows)
