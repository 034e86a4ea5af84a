"""hdp-hw bench layer: clock cycles of whole layers on the simulated co-processor, from start bit to interrupt.

Output, records, bytes and clock cycles of each are held against the golden models as they are measured.
"""

from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np

from hdp_hw.driver.backend import HeadRecord, LayerJob
from hdp_hw.driver.emulator import Emulator
from hdp_hw.driver.errors import Mismatch
from hdp_hw.golden.bits.shell.job import attend_heads, traffic
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.cycles.core.plan import HeadPlan, ideal_cycles
from hdp_hw.golden.stimulus import captured_heads, random_head, wide_heads
from hdp_hw.simulation.simulated_bus import MemoryTiming
from hdp_hw.simulation.simulation import Simulation
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.study.bench.records import FOLDER, aligned, say, with_block, write_records
from hdp_hw.study.threads import threads

DEFAULT_CONFIGS = ("edge",)
BUS_WIDTHS, CORES, LATENCY = (32, 64, 128), (1, 2), 20
N_HEADS = 12
SHARE = 0.25  #: of the blocks, that the pruning rules are to keep
PART = "layer"  #: of the documentation, that is written anew
STANDARD = {"n_cores": 1, "bus_width": 64}  #: of the first table


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of 12 heads. source : ``minilm``, ``bert`` (synthetic, of captured heads), or ``random``."""

    source: str
    heads: list

    @property
    def shape(self):
        """``(n, d)``."""
        return self.heads[0].n_q, self.heads[0].head_dim


@dataclass(frozen=True, eq=False)
class Case:
    """A layer under a rule: ``threshold`` and ``tau_head`` of all heads, and their HeadResults."""

    layer: Layer
    rule: Rule
    threshold: float | None
    tau_head: float
    job: LayerJob
    results: list

    def __str__(self):
        n, d = self.layer.shape
        tau = f", tau {self.tau_head:.3g}" if self.tau_head else ""
        return f"{self.layer.source}, n = {n}, d = {d}, {self.rule.name.lower()}{tau}"


def bench(configs, bus_widths=BUS_WIDTHS, cores=CORES, latency=LATENCY, quick=False, jobs=1, readme=None):
    """Measure layers on ``configs``, ``[(name, HdpParams)]``; print tables and write ``layer.json``.

    bus_widths, cores : each pair of them is simulated; latency : clock cycles of the memory; quick : n = 128 only;
    jobs : simulations at a time; readme : file whose PART is written anew.

    Raises DriverError, Mismatch above all, and ParameterError.
    """
    if readme:
        with_block(readme, PART, "")  # before all the work
    records, variants = [], {}
    for name, params in configs:  # bad ones are refused before all the work
        variants[name] = [replace(params, n_cores=n, bus_width=width) for n in cores for width in bus_widths]
    for name, params in configs:
        say(f"{name}: golden models")
        cases = [case for layer in layers(params, quick) for case in cases_of(layer, params)]
        with threads(jobs) as pool:
            tasks = [pool.submit(measure, name, each, cases, latency) for each in variants[name]]
            records += [record for task in tasks for record in task.result()]
    print(record_table(records), "", tables(records), "", sep="\n")
    write_records(records, FOLDER / "layer.json")
    if readme:
        write(readme, with_block(readme, PART, tables(records)))


def layers(params, quick=False):
    """Layers that a core takes: one of MiniLM, and one as BERT-Base has them, short and long."""
    real = [head for head in captured_heads(128) if head.name.startswith("lighthouse.")]
    rng = np.random.default_rng(1)
    wide = list(islice(cycle(wide_heads(128)), N_HEADS))
    made = [
        Layer("minilm", real),
        Layer("bert", [wide[index] for index in rng.permutation(N_HEADS)]),  # they come in the order of sharpness
        Layer("random", [random_head(rng, 384, 384, 64, sharpness=2.0) for _ in range(N_HEADS)]),
    ]
    for layer in made[: 2 if quick else 3]:
        n, d = layer.shape
        if n <= params.max_seq_len and d <= params.max_head_dim and d % params.slice_width == 0:
            yield layer


def cases_of(layer, params):
    """Cases of a layer: under every rule, and once more with a third of its heads pruned."""
    yield case_of(layer, Rule.DENSE, None, params)
    for rule in (Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS):
        case = case_of(layer, rule, threshold_for_share(layer.heads, rule, SHARE, params)[0], params)
        yield case
    importance = sorted(result.theta_head / layer.shape[0] ** 2 for result in case.results)
    third = len(importance) // 3
    yield case_of(layer, rule, case.threshold, params, (importance[third - 1] + importance[third]) / 2)


def case_of(layer, rule, threshold, params, tau_head=0.0):
    """A Case."""
    more = {} if rule == Rule.DENSE else {"compensate": True, "tau_head": tau_head}
    settings = tuple(head.settings(params, rule, threshold, **more) for head in layer.heads)
    q, k, v = (np.array(operand) for operand in zip(*(head.quantised(params) for head in layer.heads)))
    return Case(layer, rule, threshold, tau_head, LayerJob(q, k, v, settings), attend_heads(q, k, v, settings, params))


def measure(name, params, cases, latency):
    """Records of all cases on one co-processor."""
    what = f"{name}, {params.n_cores} cores, {params.bus_width} bits"
    say(f"{what}: building the simulation")
    simulation, emulator = Simulation(params, timing=MemoryTiming(latency, latency)), Emulator(params, latency, latency)
    records, dense = [], {}
    for case in cases:
        run, predicted = simulation.run(case.job), emulator.cycles(case.job, case.results)
        expected = predicted.counters | traffic(case.results, case.job.settings, params, table=case.job.has_table)
        measured = simulation.bus.job_cycles
        check(run, case, expected, f"{what}: {case}")
        if measured != predicted.interrupt:
            raise Mismatch(f"{what}: {case}: {measured} clock cycles, the cycle model has {predicted.interrupt}")
        of_dense = dense.setdefault(case.layer, measured)
        records.append(record(name, params, case, latency, run, measured, predicted, of_dense))
        say(f"{what}: {case}: {measured} cycles")
    return records


def check(run, case, counters, what):
    """Compare a LayerRun with the golden models. Raises Mismatch."""
    wrong = [head for head, result in enumerate(case.results) if not np.array_equal(run.output[head], result.output)]
    if wrong:
        raise Mismatch(f"{what}: the output of head {wrong[0]} differs")
    heads = tuple(HeadRecord(x.verdict, x.n_visited, x.n_kept, x.theta_head) for x in case.results)
    if run.heads != heads:
        raise Mismatch(f"{what}: the records are {run.heads}, not {heads}")
    for name, count in counters.items():
        if run.counters[name] != count:
            raise Mismatch(f"{what}: the counter {name} says {run.counters[name]}, not {count}")


def record(name, params, case, latency, run, measured, predicted, dense_cycles):
    """One entry of layer.json: as of core.json, and what follows.

    ``measured_cycles`` are from the write of the start bit to the interrupt. ``ideal_cycles`` are array cycles of all
    cores together, ``array_cycles`` those from the first to the last busy one of the core that takes longest,
    ``busy_ratio`` is the share of ``measured_cycles`` that a core's array works, on average. ``roofline_ratio`` is the
    larger of array time and bus time over ``measured_cycles``: ``ideal_cycles`` shared by the cores, and words that
    are read, or written, one a cycle. ``dense_cycles`` : of the layer under the dense rule.
    """
    n, d = case.layer.shape
    plans = [HeadPlan.of(settings, result, params) for settings, result in zip(case.job.settings, case.results)]
    ideal = sum(ideal_cycles(plan, params) for plan in plans)
    counts = {counter: run.counters[counter] for counter in ("bytes_read", "bytes_unmasked", "bytes_written")}
    bus_cycles = ceil_div(max(counts["bytes_read"], counts["bytes_written"]), params.bus_bytes)
    return {
        "config": name,
        "source": case.layer.source,
        "n": n,
        "d": d,
        "n_heads": len(case.results),
        "rule": case.rule.name.lower(),
        "target_share": 1.0 if case.rule == Rule.DENSE else SHARE,
        "threshold": case.threshold,
        "tau_head": case.tau_head,
        "kept_share": sum(head.n_kept for head in run.heads) / sum(head.n_visited for head in run.heads),
        "heads_kept_share": sum(head.verdict != Verdict.PRUNED for head in run.heads) / len(run.heads),
        "n_cores": params.n_cores,
        "bus_width": params.bus_width,
        "latency": latency,
        "measured_cycles": measured,
        "predicted_cycles": predicted.interrupt,
        "ideal_cycles": ideal,
        "array_cycles": max(core.array_time for core in predicted.cores),
        "busy_ratio": ideal / params.n_cores / measured,
        "speedup_over_dense": dense_cycles / measured,
        **counts,
        "bus_cycles": bus_cycles,
        "roofline_ratio": max(ceil_div(ideal, params.n_cores), bus_cycles) / measured,
    }


# -- tables -----------------------------------------------------------------------------------------------------------
def record_table(records):
    """The records as text, a line each."""
    head = ["config", "layer", "n", "d", "cores", "bus", "rule", "kept", "heads kept", "measured", "predicted"]
    rows = [[*head, "busy", "speed-up", "bytes read", "unmasked", "roofline"]]
    for x in records:
        names = [x[key] for key in ("config", "source", "n", "d", "n_cores", "bus_width")]
        shares = [f"{x[key]:.1%}" for key in ("kept_share", "heads_kept_share")]
        cycles = [f"{x[key]:,}" for key in ("measured_cycles", "predicted_cycles")]
        ratios = [f"{x['busy_ratio']:.1%}", f"{x['speedup_over_dense']:.2f}"]
        counts = [f"{x[key]:,}" for key in ("bytes_read", "bytes_unmasked")]
        rows.append([*map(str, names), rule_of(x), *shares, *cycles, *ratios, *counts, f"{x['roofline_ratio']:.1%}"])
    return aligned(rows)


def tables(records):
    """Markdown: every layer under every rule on the standard co-processor, and one layer on all of them."""
    titles = ["layer", "rule", "blocks kept", "heads kept", "cycles", "speed-up", "array busy", "roofline"]
    lines = markdown([*titles, "bytes read", "saved"], 2)
    for x in records:
        if all(x[name] == value for name, value in STANDARD.items()):
            shares = [f"{x[key]:.0%}" for key in ("kept_share", "heads_kept_share")]
            cells = [f"{x['measured_cycles']:,}", f"{x['speedup_over_dense']:.2f}", f"{x['busy_ratio']:.1%}"]
            cells += [f"{x['roofline_ratio']:.1%}", f"{x['bytes_read']:,}"]
            saved = f"{1 - x['bytes_read'] / x['bytes_unmasked']:.1%}"
            lines.append(line([name_of(x), rule_of(x), *shares, *cells, saved]))
    lines += ["", *markdown(["layer", "rule", "cores", "bus", "limit", "cycles", "over one core", "roofline"], 2)]
    of_one = {key_of(x): x["measured_cycles"] for x in records if x["n_cores"] == 1}
    for x in sorted(records, key=lambda x: (x["rule"] != "dense", x["n_cores"], x["bus_width"])):
        if x["source"] == "bert" and not x["tau_head"] and x["rule"] in ("dense", "mass"):
            limit = "bus" if x["bus_cycles"] * x["n_cores"] > x["ideal_cycles"] else "array"
            ratio = f"{of_one[key_of(x)] / x['measured_cycles']:.2f}" if key_of(x) in of_one else ""
            cells = [f"{x['measured_cycles']:,}", ratio, f"{x['roofline_ratio']:.1%}"]
            lines.append(line([name_of(x), rule_of(x), str(x["n_cores"]), str(x["bus_width"]), limit, *cells]))
    return "\n".join(lines)


def markdown(titles, n_names):
    """Lines that begin a table, whose first columns are names and the others numbers."""
    return [line(titles), "|" + "---|" * n_names + "--:|" * (len(titles) - n_names)]


def line(cells):
    """Of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def name_of(entry):
    """Configuration and layer of a record."""
    return f"{entry['config']}: {entry['source']}, {entry['n']} x {entry['d']}"


def rule_of(entry):
    """Rule of a record, and whether heads are pruned."""
    return entry["rule"] + (", heads pruned" if entry["tau_head"] else "")


def key_of(entry):
    """What records have in common that differ in the number of cores."""
    return tuple(entry[name] for name in ("config", "source", "n", "bus_width", "rule", "tau_head"))
