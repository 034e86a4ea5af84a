"""hdp-hw bench core: clock cycles of the simulated core, held against its golden models as they are measured."""

import time
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from hdp_hw.deliver.manifest import STANDARD_HEAD
from hdp_hw.deliver.synth import published
from hdp_hw.deliver.synth.flow import part_of
from hdp_hw.deliver.synth.published import NOT_MEASURED, gops
from hdp_hw.driver.errors import Mismatch, SimulatorMissing
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.cycles.core.plan import HeadPlan, ideal_cycles
from hdp_hw.golden.stimulus import captured_heads, random_head, wide_heads
from hdp_hw.simulation.check import check, expect
from hdp_hw.simulation.core_simulation import CoreSimulation
from hdp_hw.simulation.head_job import HeadJob, beats_of
from hdp_hw.simulation.icarus import play
from hdp_hw.spec.output_file import write
from hdp_hw.spec.settings import Rule, Verdict
from hdp_hw.study.bench.records import FOLDER, aligned, say, with_block, write_records
from hdp_hw.study.threads import threads

DEFAULT_CONFIGS = ("tiny", "edge")
SOURCES = {"captured": (32, captured_heads), "synthetic": (64, wide_heads)}  #: head dimension, and heads of a length
LENGTHS, SHARES = (32, 64, 128, 256), (0.5, 0.25, 0.1)
QUICK_LENGTHS, QUICK_SHARES = (32, STANDARD_HEAD["n"]), (0.25,)
README_SETTING = Rule.MASS, 0.25  #: rule and share of the README's table
HEADS_MIN = 6  #: a shorter list of heads is run through again
README_DEVICE = "LFE5U-85F-6"  #: of the README's area and clock
PART = "bench"  #: of the README, that is written anew
#: What the regression simulates of a configuration; docs/verification.md has the tests.
SIMULATED = {
    "tiny": "blocks, core, co-processor, faults: Icarus and Verilator",
    "edge": "heads and layers: compiled Verilator",
}


@dataclass(frozen=True, eq=False)
class Workload:
    """Heads of one shape that run back to back. config : name of the configuration; source : a key of SOURCES."""

    config: str
    source: str
    n: int
    d: int
    heads: list


def bench(configs, quick=False, jobs=1, readme=None, folder=FOLDER):
    """Measure ``configs``, ``[(name, HdpParams)]``; print tables, write ``core.json`` and perhaps the README's table.

    quick : fewer lengths and thresholds; jobs : simulations at a time; readme : file whose PART is written anew.

    Raises DriverError, Mismatch above all, and ParameterError.
    """
    if readme:
        with_block(readme, PART, "")  # before all the work
    lengths, shares = (QUICK_LENGTHS, QUICK_SHARES) if quick else (LENGTHS, SHARES)
    records, facts, speeds = [], {}, []
    for name, params in configs:
        say(f"{name}: building the simulation")
        simulation = CoreSimulation(params)
        facts[name] = {"multipliers": params.multipliers}
        speeds += [f"{name}: {line}" for line in speed_lines(simulation, folder / f"icarus-{name}")]
        with threads(jobs) as pool:
            tasks = [pool.submit(measure, x, simulation.copy(), shares) for x in workloads(name, params, lengths)]
            records += [record for task in tasks for record in task.result()]
    table = readme_table(records, facts, published.read())
    print(record_table(records), "", *speeds, "", table, "", sep="\n")
    write_records(records, folder / "core.json")
    if readme:
        write(readme, with_block(readme, PART, table))


def workloads(config, params, lengths):
    """Workloads of the lengths and head dimensions that a core takes."""
    for source, (d, heads_of) in SOURCES.items():
        for n in lengths:
            if n <= params.max_seq_len and d <= params.max_head_dim and d % params.slice_width == 0:
                heads = heads_of(n)
                yield Workload(config, source, n, d, list(islice(cycle(heads), max(len(heads), HEADS_MIN))))


def measure(workload, simulation, shares):
    """Records of a workload under every rule at thresholds that keep about ``shares`` of its blocks."""
    params, records = simulation.params, []

    def run(rule, share, threshold, **settings):
        more = {} if rule == Rule.DENSE else {"compensate": True, **settings}
        jobs = [
            HeadJob(head.settings(params, rule, threshold, **more), *head.quantised(params)) for head in workload.heads
        ]
        expected = [expect(job, params) for job in jobs]
        simulation.reset()
        seen = simulation.run(jobs)
        where = f"{workload.config}: {workload.source}, n = {workload.n}, d = {workload.d}, {rule.name.lower()} {share}"
        where += f", tau {settings['tau_head']:.3g}" if settings else ""
        try:
            predicted = check(seen, expected, params)
        except Mismatch as error:
            raise Mismatch(f"{where}: {error}") from None
        ideal = sum(ideal_cycles(golden.plan, params) for golden in expected)
        dense_cycles = records[0]["measured_cycles"] if records else None
        records.append(record(workload, rule, share, threshold, settings, seen, predicted, ideal, dense_cycles))
        say(f"{where}: {seen.cycles} cycles")
        return seen

    run(Rule.DENSE, 1.0, None)
    for rule in (Rule.ROW_THRESHOLD, Rule.MARGIN, Rule.MASS):
        for share in shares:
            threshold = threshold_for_share(workload.heads, rule, share, params)[0]
            seen = run(rule, share, threshold)
            if (rule, share) == README_SETTING:  # and once more, so that about a third of the heads is pruned
                importance = sorted(head.theta_head / workload.n**2 for head in seen.heads)
                third = len(importance) // 3
                run(rule, share, threshold, tau_head=(importance[third - 1] + importance[third]) / 2)
    return records


def record(workload, rule, share, threshold, settings, run, predicted, ideal, dense_cycles):
    """One entry of core.json; clock cycles are those of the whole batch.

    run : hdp_hw.simulation.core_simulation.Run; predicted : CoreCycles; ideal : array cycles without a bubble;
    dense_cycles : of the same heads under the dense rule, None if this is that. ``target_share`` is what the threshold
    was found for; ``busy_ratio`` is the ideal over the measured array time, from its first to its last busy cycle.
    """
    measured = run.heads[-1].done + 1
    return {
        "config": workload.config,
        "source": workload.source,
        "n": workload.n,
        "d": workload.d,
        "n_heads": len(run.heads),
        "rule": rule.name.lower(),
        "target_share": share,
        "threshold": threshold,
        "tau_head": settings.get("tau_head", 0.0),
        "kept_share": sum(head.n_kept for head in run.heads) / sum(head.n_visited for head in run.heads),
        "heads_kept_share": sum(head.verdict != Verdict.PRUNED for head in run.heads) / len(run.heads),
        "measured_cycles": measured,
        "predicted_cycles": predicted.done[-1] + 1,
        "ideal_cycles": ideal,
        "array_cycles": run.array_time,
        "busy_ratio": ideal / run.array_time,
        "speedup_over_dense": (dense_cycles or measured) / measured,
    }


def speed_lines(simulation, folder):
    """What simulators and golden models of a core take, a line each. Raises Mismatch if Icarus' cycles differ."""
    params = simulation.params
    n, d = min(STANDARD_HEAD["n"], params.max_seq_len), min(STANDARD_HEAD["head_dim"], params.max_head_dim)
    rng = np.random.default_rng(1)
    heads = [random_head(rng, n, n, d) for _ in range(12)]
    jobs = [HeadJob(x.settings(params, Rule.MASS, 0.01, compensate=True), *x.quantised(params)) for x in heads]

    begin = time.perf_counter()
    results = [attend(job.q, job.k, job.v, job.settings, params) for job in jobs]
    golden = time.perf_counter() - begin
    plans = [HeadPlan.of(job.settings, result, params) for job, result in zip(jobs, results)]
    begin = time.perf_counter()
    core_cycles(plans, params)
    model = time.perf_counter() - begin
    begin = time.perf_counter()
    cycles = simulation.run(jobs).cycles
    verilator = time.perf_counter() - begin
    head = random_head(rng, 12, 12, d)
    job = HeadJob(head.settings(params, Rule.MASS, 0.01, compensate=True), *head.quantised(params))
    predicted = core_cycles([expect(job, params).plan], params).done
    try:
        done, seconds = play(simulation.model, beats_of([job], params), "o_status", 1, 2 * predicted[0], folder)
        if done != predicted:
            raise Mismatch(f"under Icarus the status came in clock cycles {done}, not {predicted}")
        icarus = f"{predicted[0] / seconds:,.0f} cycles/s"
    except SimulatorMissing as error:
        icarus = str(error)
    return [
        f"Verilator, compiled: {cycles / verilator:,.0f} cycles/s; Icarus: {icarus}",
        f"golden model: {len(heads) / golden:.1f} heads/s; their cycles: {model:.3f} s (12 heads, n = {n}, d = {d})",
    ]


def record_table(records):
    """The records as text, a line each."""
    head = ["config", "source", "n", "d", "heads", "rule", "threshold", "kept", "heads kept"]
    rows = [[*head, "measured", "predicted", "ideal", "busy", "speed-up"]]
    for x in records:
        threshold = "" if x["threshold"] is None else f"{x['threshold']:.4g}"
        threshold += f" tau {x['tau_head']:.3g}" if x["tau_head"] else ""
        shares = [f"{x[key]:.1%}" for key in ("kept_share", "heads_kept_share")]
        cycles = [f"{x[key]:,}" for key in ("measured_cycles", "predicted_cycles", "ideal_cycles")]
        names = [x[key] for key in ("config", "source", "n", "d", "n_heads", "rule")]
        ratios = [f"{x['busy_ratio']:.1%}", f"{x['speedup_over_dense']:.2f}"]
        rows.append([*map(str, names), threshold, *shares, *cycles, *ratios])
    return aligned(rows)


def readme_table(records, facts, synthesised):
    """Markdown: per configuration how fast it runs the standard head, and what it takes of an FPGA.

    facts : ``{configuration: {"multipliers": n}}``; synthesised : records of :mod:`hdp_hw.deliver.synth.published`.
    """
    rule, share = README_SETTING
    titles = [
        "configuration",
        "digit products a cycle",
        "head",
        "cycles, dense",
        f"cycles, {share:.0%} of the blocks kept",
    ]
    titles += ["array busy", "LUT4s", "MHz", "GOPS per kLUT, dense", "GOPS per kLUT, pruned", "simulated"]
    lines = [f"| {' | '.join(titles)} |", f"|---|{'--:|' * (len(titles) - 2)}---|"]
    on_device = {x["config"]: x for x in synthesised if part_of(x) == README_DEVICE}
    for name, fact in facts.items():
        standard = [x for x in records if x["config"] == name and x["n"] == STANDARD_HEAD["n"] and not x["tau_head"]]
        standard = [x for x in standard if x["d"] == max(y["d"] for y in standard)]
        dense = [x for x in standard if x["rule"] == "dense"]
        pruned = [x for x in standard if (x["rule"], x["target_share"]) == (rule.name.lower(), share)]
        for pair in zip(dense, pruned):
            cycles = [record["measured_cycles"] / record["n_heads"] for record in pair]
            busy = " / ".join(f"{record['busy_ratio']:.1%}" for record in pair)
            cells = [name, f"{fact['multipliers']:,}", f"{pair[0]['n']} x {pair[0]['d']}, {pair[0]['source']}"]
            cells += [*(f"{count:,.0f}" for count in cycles), busy]
            cells += _area_cells(on_device.get(name), pair[0], cycles)
            lines.append(f"| {' | '.join([*cells, SIMULATED.get(name, 'heads of this table')])} |")
    return "\n".join(lines)


def _area_cells(made, head, cycles):
    """LUTs, clock of the slowest seed, and operations a second and 1,000 LUTs, of a record of synthesis or None."""
    clocks = [mhz for mhz in made["fmax_mhz"].values() if mhz] if made else []
    if not clocks:
        return [f"{made['luts']:,}" if made else NOT_MEASURED, *[NOT_MEASURED] * 3]
    size, mhz = {"n_q": head["n"], "n_k": head["n"], "head_dim": head["d"]}, min(clocks)
    rates = [1000 * gops(size | {"cycles": count}, mhz) / made["luts"] for count in cycles]
    return [f"{made['luts']:,}", f"{mhz}", *(f"{rate:.3f}" for rate in rates)]
