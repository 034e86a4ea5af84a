"""hdp-hw bench area: operations a second for the LUTs and multipliers of an FPGA, of cores and of published designs."""

import json
from dataclasses import replace
from itertools import zip_longest

from hdp_hw.deliver.synth import published
from hdp_hw.deliver.synth.devices import DEVICES, XC7, XCUP
from hdp_hw.deliver.synth.flow import BUILD, part_of
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.stimulus import captured_heads, wide_heads
from hdp_hw.simulation.check import expect
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.study.bench.records import FOLDER, aligned, say, write_records
from hdp_hw.study.explore.space import CORE

DEFAULT_CONFIGS = ("tiny", "edge")
DEFAULT_SHARE = 0.25
LENGTH = 128  #: of the heads, or what the core takes
STEPS = 7  #: halvings of the interval in which the share is where pruning begins to pay
KINDS = ("", "_pruned")  #: of a dense head, and of one that keeps a share of its blocks
#: What others say of theirs, dense: LUTs of 6 inputs, DSPs and giga-operations a second, the lowest and the highest:
#: (design, device, LUTs, DSPs, MHz, GOPS). They compute linear layers; the last two are from a table of another paper.
OTHERS = (
    ("PocketAI, matrix unit, 8 bits", "XC7Z020", 11_069, 0, 95, (11.6, 11.6)),
    ("Auto-ViT-Acc, DeiT", "ZCU102", 185_000, 1_552, 150, (908, 1_182)),
    ("Huang (TCAS-I 2023), ViT", "ZCU102", 144_500, 1_268, 300, (616, 763)),
)


def bench(configs, kept=DEFAULT_SHARE, folder=FOLDER):
    """Compare ``configs``, ``[(name, HdpParams)]``, with the same cores without predictor; print, write area.json.

    kept : share of the blocks that pruned heads keep. Raises ParameterError without a record of a configuration.
    """
    results, costs = compare(configs, records(), kept)
    print(aligned(table(results)), "", *costs, "", sep="\n")
    write_records(results, folder / "area.json")


def compare(configs, made, kept=DEFAULT_SHARE):
    """``(entries of area.json, [line that says what pruning costs])`` of ``configs``, by the records ``made``."""
    results, costs = [], []
    for name, params in configs:
        dense = replace(params, pruning=0)
        with_it, without = (of_core(made, each) for each in (params, dense))
        if not with_it:
            legal = ", ".join(sorted({record["config"] for record in made}))
            raise ParameterError("config", name, f"one that hdp-hw synth has synthesised: {legal}")
        say(f"{name}: cycles of heads, dense and pruned")
        heads = heads_of(params)
        cycles, share = pruned_cycles(heads, params, kept)
        cycles, dense_cycles = (dense_head_cycles(heads, params), cycles), dense_head_cycles(heads, dense)
        for device, record in with_it.items():
            results.append(figures(name, record, heads[0], cycles, share))
            if device in without:
                results.append(figures(f"{name} without predictor", without[device], heads[0], (dense_cycles,)))
                costs.append(cost(heads, params, *results[-2:]))
    return results, costs


def records():
    """Records of cores: those that are published, or newer ones in ``build/``."""
    newer = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(BUILD.glob("*.json"))]
    made = published.of_cores([*published.read(), *newer])
    return list({(record["config"], record["device"]): record for record in made}.values())


def of_core(made, params):
    """``{device: record}`` of those records that are of the core of ``params``."""
    core = {name: vars_of(params)[name] for name in CORE}
    return {part_of(each): each for each in made if {name: each["parameters"][name] for name in CORE} == core}


def heads_of(params):
    """Captured heads of LENGTH, or of what the core takes."""
    n = min(LENGTH, params.max_seq_len)
    return wide_heads(n) if params.max_head_dim >= 64 else captured_heads(n)


def dense_head_cycles(heads, params):
    """Clock cycles of a head among others, dense."""
    return _cycles(heads, params, Rule.DENSE)


def pruned_cycles(heads, params, kept):
    """``(clock cycles of a head among others, share of its blocks)`` at the threshold that keeps about ``kept``."""
    threshold, share = threshold_for_share(heads, Rule.MASS, kept, params)
    return _cycles(heads, params, Rule.MASS, threshold=threshold, compensate=True), share


def _cycles(heads, params, rule, **settings):
    jobs = [HeadJob(head.settings(params, rule, **settings), *head.quantised(params)) for head in heads]
    return (core_cycles([expect(job, params).plan for job in jobs], params).done[-1] + 1) / len(heads)


def figures(name, record, head, cycles, share=None):
    """One entry of area.json: of a record, at the clock of its slowest seed; None stands for what is not known.

    cycles : of a head, dense, and where it keeps ``share`` of its blocks. ``luts`` have ``lut_inputs`` inputs.
    ``operations`` : a clock cycle; ``gops`` : a second. Both also of a dense head in the time of a pruned one, and for
    1,000 LUTs; ``gops`` also for a DSP.
    """
    mhz = min(filter(None, record["fmax_mhz"].values()), default=None)
    entry = {
        "design": name,
        "device": part_of(record),
        "lut_inputs": 6 if DEVICES[record["device"]].family in (XC7, XCUP) else 4,
        **{kind: record[kind] for kind in ("luts", "ffs", "dsps", "brams")},
        "mhz": mhz,
        "n": head.n_q,
        "head_dim": head.head_dim,
        "kept_share": share,
        "commit": record.get("commit"),
    }
    for kind, count in zip_longest(KINDS, cycles):
        rate = 4 * head.n_q * head.n_k * head.head_dim / count if count else None
        giga = rate * mhz / 1000 if rate and mhz else None
        entry |= {f"cycles{kind}": count, f"operations{kind}": rate, f"gops{kind}": giga}
        entry |= {
            f"{of}{kind}_per_klut": x and 1000 * x / record["luts"] for of, x in (("operations", rate), ("gops", giga))
        }
        entry[f"gops{kind}_per_dsp"] = giga / record["dsps"] if giga and record["dsps"] else None
    return entry


def cost(heads, params, entry, without):
    """What the predictor takes, and up to which share of blocks a LUT does more work with it; a line of text."""
    luts, dsps = (entry[kind] - without[kind] for kind in ("luts", "dsps"))
    which, of_clocks = "equal", 1
    if entry["mhz"] and without["mhz"]:
        which, of_clocks = "these", entry["mhz"] / without["mhz"]
    limit = without["cycles"] * of_clocks * without["luts"] / entry["luts"]
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if pruned_cycles(heads, params, middle)[0] <= limit else (low, middle)
    more = f"{luts:,} LUTs ({luts / without['luts']:.0%} more) and {dsps} DSPs"
    return (
        f"{entry['design']}, {entry['device']}: pruning takes {more}. "
        f"For each LUT it pays up to {low:.0%} of the blocks, at {which} clocks."
    )


def table(results):
    """Rows of texts: titles, the results, and OTHERS."""
    kept = " or ".join(sorted({f"{entry['kept_share']:.0%}" for entry in results if entry["kept_share"]})) + " kept"
    rates = ("operations", "operations_per_klut", "gops", "gops_per_klut", "gops_per_dsp")
    titles = ("operations/cycle", "for 1,000 LUTs", "GOPS", "GOPS/kLUT", "GOPS/DSP")
    rows = [["design", "device", "LUTs", "inputs", "DSPs", "MHz", *(x for title in titles for x in (title, kept))]]
    for entry in results:
        counts = [f"{entry['luts']:,}", str(entry["lut_inputs"]), f"{entry['dsps']:,}", _text(entry["mhz"], ".1f")]
        names = (
            name.replace(of, f"{of}{kind}") for name in rates for of in (name.partition("_")[0],) for kind in KINDS
        )
        rows.append([entry["design"], entry["device"], *counts, *(_text(entry[name], ".2f") for name in names)])
    for design, device, luts, dsps, mhz, gops in OTHERS:
        per_cycle = [1000 * rate / mhz for rate in gops]
        cells = [per_cycle, [1000 * rate / luts for rate in per_cycle], gops, [1000 * rate / luts for rate in gops]]
        cells = [text for rates in cells for text in (span(rates), "")]
        cells += [span([rate / dsps for rate in gops]) if dsps else "", ""]
        rows.append([design, device, f"{luts:,}", "6", f"{dsps:,}", f"{mhz}", *cells])
    return rows


def _text(number, form):
    """A number, or nothing where it is not known."""
    return "" if number is None else format(number, form)


def span(rates):
    """The lowest and the highest of ``rates``."""
    texts = [f"{rate:.2f}" if rate < 100 else f"{rate:,.0f}" for rate in rates]
    return texts[0] if len(set(texts)) == 1 else " to ".join(texts)
