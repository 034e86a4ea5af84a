"""hdp-hw energy: an estimate of what pruning saves, in a table."""

from collections import Counter

from hdp_hw.study.bench.records import aligned
from hdp_hw.study.energy.estimate import ENERGY_PJ, energy_pj, event_counts

MEMORY = "bus bytes"  #: the event outside of the chip


def report(label, params, workload):
    """Text of the table for a co-processor and a :class:`hdp_hw.study.explore.workload.Workload`. Raises
    ParameterError."""
    dense, pruned = (totals(workload.layers, params, dense) for dense in (True, False))
    before, after = energy_pj(dense), energy_pj(pruned)
    rows = [["event", "pJ each", "dense", "pruned", "nJ dense", "nJ pruned", "ratio"]]
    for event, each in ENERGY_PJ.items():
        counts = [f"{count[event]:,.0f}" for count in (dense, pruned)]
        rows.append([event, f"{each:.4g}", *counts, *_compared(before[event], after[event])])
    for name, events in (("on the chip", set(ENERGY_PJ) - {MEMORY}), ("in all", set(ENERGY_PJ))):
        sums = (sum(energy[event] for event in events) for energy in (before, after))
        rows.append([name, "", "", "", *_compared(*sums)])
    return "\n".join(
        [
            f"Energy of {workload} on {label}: an estimate.",
            "Counts are those of the golden models; energies per event are of 45 nm: Horowitz, ISSCC 2014.",
            "",
            aligned(rows),
        ]
    )


def totals(layers, params, dense=False):
    """``{event: count}`` of layers, see :mod:`hdp_hw.study.energy.estimate`; ``dense``: without pruning. Raises
    ParameterError."""
    total = Counter()
    for layer in layers:
        settings, results = layer.attend(params, dense)
        total.update(event_counts(results, settings, params))
    return dict(total)


def _compared(dense, pruned):
    ratio = f"{dense / pruned:.2f}" if dense and pruned else ""
    return [f"{dense / 1000:,.1f}", f"{pruned / 1000:,.1f}", ratio]
