"""From results to records, files, and what they say in words."""

import csv
import io
import json
from dataclasses import dataclass

from hdp_hw.spec.output_file import write
from hdp_hw.study.compare.sweep import is_number
from hdp_hw.study.peers.cost import Work
from hdp_hw.study.statistics import label_flips, paired_error

BUDGETS = (0.005, 0.01, 0.02)  #: losses of the metric under which methods are compared
BOUND = "oracle"  #: a method that nobody can build


@dataclass(frozen=True, eq=False)
class Record:
    """What a point came to. loss : dense metric less metric; stderr : of the loss; work : its Work."""

    curve: str
    method: str
    parameters: dict
    n: int
    metric: float
    dense_metric: float
    loss: float
    stderr: float
    label_flips: int
    seconds: float
    work: Work

    @classmethod
    def of(cls, point, result, prepared):
        """Of a Point, its result and the job's Prepared."""
        task, predictions = prepared.task, result["predictions"]
        metric, dense = task.metric(predictions, task.labels), task.metric(prepared.dense, task.labels)
        return cls(
            curve=point.curve,
            method=point.method,
            parameters=dict(point.parameters),
            n=len(predictions),
            metric=metric,
            dense_metric=dense,
            loss=dense - metric,
            stderr=paired_error(task.metric, predictions, prepared.dense, task.labels),
            label_flips=label_flips(predictions, prepared.dense),
            seconds=result["seconds"],
            work=Work.from_lists(result["work"]),
        )

    @property
    def ours(self):
        """It is HDP."""
        return self.method == "hdp"

    @property
    def speedup(self):
        """Dense cycles over cycles, None where the array cannot execute the masks."""
        return self.work.cycles and self.work.cycles[1] / self.work.cycles[0]

    @property
    def row(self):
        """The record as the files have it; cycles are "no" where the array cannot execute the masks."""
        predicted, dense = self.work.cycles or ("no", "no")
        return {
            "curve": self.curve,
            "method": self.method,
            "parameters": self.parameters,
            "n": self.n,
            "metric": self.metric,
            "dense_metric": self.dense_metric,
            "loss": self.loss,
            "stderr": self.stderr,
            "label_flips": self.label_flips,
            "pruned_share": self.work.pruned_share,
            "net_saving": self.work.net_saving,
            "byte_saving": self.work.byte_saving,
            "linear_saving": self.work.linear_saving,
            "pruned_heads": self.work.pruned_heads,
            "predicted_cycles": predicted,
            "dense_cycles": dense,
            "seconds": self.seconds,
        }

    def __str__(self):
        return f"{self.name}: {percent(self.work.net_saving)} saved, {points(self.loss)} +- {points(self.stderr)} lost"

    @property
    def name(self):
        """Curve and parameters that are on a scale."""
        return ", ".join(filter(None, [self.curve, self.numbers]))

    @property
    def numbers(self):
        """Parameters that are on a scale; the others are in the name of the curve."""
        return ", ".join(f"{name} {value:g}" for name, value in self.parameters.items() if is_number(value))


def percent(share):
    """Text of a share."""
    return f"{100 * share:.1f} %"


def points(loss):
    """Text of a loss of the metric, in points (hundredths)."""
    return f"{100 * loss:.2f}"


def write_records(records, path):
    """Write ``path``.json and ``path``.csv."""
    rows = [record.row for record in records]
    write(path.with_suffix(".json"), json.dumps(rows, indent=1) + "\n")
    writer = csv.DictWriter(table := io.StringIO(newline=""), list(rows[0]))
    writer.writeheader()
    writer.writerows(row | {"parameters": json.dumps(row["parameters"])} for row in rows)
    write(path.with_suffix(".csv"), table.getvalue())


# -- words ------------------------------------------------------------------------------------------------------------
def best(records, budget, by=lambda record: record.work.net_saving):
    """The record that saves most among those that lose no more than ``budget``, or None.

    Loss and standard error together must not: else, with few examples, the luckiest would be taken for the best.
    """
    within = (record for record in records if record.loss + record.stderr <= budget and by(record) is not None)
    return max(within, key=by, default=None)


def best_of_curves(records, budget):
    """``{curve: record}`` of each curve that saves anything within the budget, most saving first."""
    found = [best([each for each in records if each.curve == curve], budget) for curve in curves(records)]
    found = [record for record in found if record and record.work.net_saving > 0]
    return {record.curve: record for record in sorted(found, key=lambda record: -record.work.net_saving)}


def curves(records):
    """Names of the curves, in order."""
    return list(dict.fromkeys(record.curve for record in records))


def findings(records):
    """Sentences: who saves most within each budget, and which peers beat HDP."""
    sentences = []
    for budget in BUDGETS:
        within = [each for each in best_of_curves(records, budget).values() if each.method != BOUND]
        ours = next((record for record in within if record.ours), None)
        peers = [record for record in within if not record.ours]
        start = f"At {100 * budget:g} points lost or less, "
        if not within:
            sentences.append(start + "no method saves anything.")
            continue
        ahead = [peer for peer in peers if not ours or peer.work.net_saving > ours.work.net_saving]
        if ahead:
            winners = "; ".join(map(str, ahead))
            sentences.append(
                start + f"{'peers win' if len(ahead) > 1 else 'a peer wins'}: {winners}. {_best_hdp(ours)}"
            )
        else:
            second = f" The best peer is {peers[0]}." if peers else " No peer saves anything."
            sentences.append(start + f"HDP saves most: {ours}.{second}")
    return sentences


def _best_hdp(ours):
    return f"HDP's best is {ours}." if ours else "HDP saves nothing."
