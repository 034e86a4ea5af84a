"""hdp-hw bench area: operations a second for the LUTs and multipliers of an FPGA, of cores and of published designs."""

import json

from hdp_hw.deliver.synth import published
from hdp_hw.deliver.synth.devices import DEVICES, XC7, XCUP
from hdp_hw.deliver.synth.flow import BUILD, part_of
from hdp_hw.deliver.synth.published import gops
from hdp_hw.golden.calibration import threshold_for_share
from hdp_hw.golden.cycles.core.attention_core import core_cycles
from hdp_hw.golden.stimulus import captured_heads, wide_heads
from hdp_hw.simulation.check import expect
from hdp_hw.simulation.head_job import HeadJob
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.study.bench.records import FOLDER, aligned, say, write_records

DEFAULT_CONFIGS = ("tiny", "edge")
DEFAULT_SHARE = 0.25
LENGTH = 128  #: of the heads, or what the core takes
#: What others say of theirs, dense: LUTs of 6 inputs, DSPs and giga-operations a second, the lowest and the highest:
#: (design, device, LUTs, DSPs, MHz, GOPS). They compute linear layers; the last two are from a table of another paper.
OTHERS = (
    ("PocketAI, matrix unit, 8 bits", "XC7Z020", 11_069, 0, 95, (11.6, 11.6)),
    ("Auto-ViT-Acc, DeiT", "ZCU102", 185_000, 1_552, 150, (908, 1_182)),
    ("Huang (TCAS-I 2023), ViT", "ZCU102", 144_500, 1_268, 300, (616, 763)),
)


def bench(configs, kept=DEFAULT_SHARE, folder=FOLDER):
    """Compare ``configs``, ``[(name, HdpParams)]``, where they are placed and routed; print a table, write area.json.

    kept : share of the blocks that pruned heads keep. Raises ParameterError without a record of a configuration.
    """
    made, results = records(), []
    for name, params in configs:
        found = [record for record in made if record["config"] == name and any(record["fmax_mhz"].values())]
        if not found:
            legal = ", ".join(sorted({record["config"] for record in made if any(record["fmax_mhz"].values())}))
            raise ParameterError("config", name, f"one that hdp-hw synth has placed and routed: {legal}")
        say(f"{name}: cycles of heads, dense and pruned")
        size, cycles, share = head_cycles(params, kept)
        results += [figures(record, size, cycles, share) for record in found]
    print(table(results), "", sep="\n")
    write_records(results, folder / "area.json")


def records():
    """Records of synthesis: those that are published, or newer ones in ``build/``."""
    newer = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(BUILD.glob("*.json"))]
    return list({(record["config"], record["device"]): record for record in [*published.read(), *newer]}.values())


def head_cycles(params, kept):
    """``(size of a head, clock cycles of one [dense, pruned], share of blocks kept)``, of captured heads in a row."""
    n = min(LENGTH, params.max_seq_len)
    heads = wide_heads(n) if params.max_head_dim >= 64 else captured_heads(n)
    threshold, share = threshold_for_share(heads, Rule.MASS, kept, params)
    cycles = []
    for rule, more in ((Rule.DENSE, {}), (Rule.MASS, {"threshold": threshold, "compensate": True})):
        jobs = [HeadJob(head.settings(params, rule, **more), *head.quantised(params)) for head in heads]
        done = core_cycles([expect(job, params).plan for job in jobs], params).done
        cycles.append((done[-1] + 1) / len(heads))
    return {"n_q": n, "n_k": n, "head_dim": heads[0].head_dim}, cycles, share


def figures(record, size, cycles, share):
    """One entry of area.json: of a record, at the clock of its slowest seed.

    ``luts`` have ``lut_inputs`` inputs. ``gops`` : of dense heads; ``gops_pruned`` : operations of a dense head in the
    time of one that keeps ``kept_share`` of its blocks. Both also for 1,000 LUTs and for a DSP.
    """
    mhz = min(filter(None, record["fmax_mhz"].values()))
    rates = dict(zip(("gops", "gops_pruned"), (gops(size | {"cycles": count}, mhz) for count in cycles)))
    per = {f"{name}_per_klut": 1000 * rate / record["luts"] for name, rate in rates.items()}
    per |= {f"{name}_per_dsp": rate / record["dsps"] if record["dsps"] else None for name, rate in rates.items()}
    return {
        "config": record["config"],
        "device": part_of(record),
        "lut_inputs": 6 if DEVICES[record["device"]].family in (XC7, XCUP) else 4,
        **{kind: record[kind] for kind in ("luts", "ffs", "dsps", "brams")},
        "mhz": mhz,
        **size,
        "kept_share": share,
        **rates,
        **per,
        "commit": record.get("commit"),
    }


def table(results):
    """The results, and OTHERS below them, as text."""
    kept = sorted({f"{entry['kept_share']:.0%}" for entry in results})
    pruned = f"{' or '.join(kept)} kept"
    titles = ["design", "device", "LUTs", "inputs", "DSPs", "MHz", "GOPS", pruned, "GOPS/kLUT", pruned, "GOPS/DSP"]
    rows = [[*titles, pruned]]
    for entry in results:
        names = ("gops", "gops_pruned", *(f"gops{kind}_per_{of}" for of in ("klut", "dsp") for kind in ("", "_pruned")))
        rates = ["" if entry[name] is None else f"{entry[name]:.2f}" for name in names]
        counts = [f"{entry['luts']:,}", str(entry["lut_inputs"]), f"{entry['dsps']:,}", f"{entry['mhz']:g}"]
        rows.append([entry["config"], entry["device"], *counts, *rates])
    for design, device, luts, dsps, mhz, rates in OTHERS:
        cells = [span(rates), "", span([1000 * rate / luts for rate in rates]), ""]
        cells += [span([rate / dsps for rate in rates]) if dsps else "", ""]
        rows.append([design, device, f"{luts:,}", "6", f"{dsps:,}", f"{mhz}", *cells])
    return aligned(rows)


def span(rates):
    """The lowest and the highest of ``rates``."""
    texts = [f"{rate:.2f}" if rate < 100 else f"{rate:,.0f}" for rate in rates]
    return texts[0] if len(set(texts)) == 1 else " to ".join(texts)
