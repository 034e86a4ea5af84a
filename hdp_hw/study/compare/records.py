"""From results to records and files."""

import csv
import io
import json
from dataclasses import dataclass

from hdp_hw.spec.output_file import write
from hdp_hw.study.compare.sweep import is_number
from hdp_hw.study.peers.cost import Work
from hdp_hw.study.peers.model_work import ModelWork
from hdp_hw.study.statistics import label_flips, paired_error


@dataclass(frozen=True, eq=False)
class Record:
    """What a point came to. part : of the examples; loss : dense metric less metric; stderr : of the loss; model : its
    ModelWork."""

    curve: str
    method: str
    parameters: dict
    part: str
    n: int
    metric: float
    dense_metric: float
    loss: float
    stderr: float
    label_flips: int
    seconds: float
    model: ModelWork

    @classmethod
    def of(cls, point, result, prepared):
        """Of a Point, its result and the job's Prepared."""
        part, predictions = prepared.parts[point.part], result["predictions"]
        task, encoder = part.task, part.task.model.encoder
        metric, dense = task.metric(predictions, task.labels), task.metric(part.dense, task.labels)
        return cls(
            curve=point.curve,
            method=point.method,
            parameters=dict(point.parameters),
            part=point.part,
            n=len(predictions),
            metric=metric,
            dense_metric=dense,
            loss=dense - metric,
            stderr=paired_error(task.metric, predictions, part.dense, task.labels),
            label_flips=label_flips(predictions, part.dense),
            seconds=result["seconds"],
            model=ModelWork(
                Work.from_lists(result["work"]), encoder.hidden_size, encoder.inner_size, bool(encoder.n_labels)
            ),
        )

    @property
    def work(self):
        """Work of attention."""
        return self.model.work

    @property
    def key(self):
        """What tells its setting from others."""
        return self.curve, *self.parameters.items()

    @property
    def ours(self):
        """It is HDP."""
        return self.method in ("hdp", "leaving")

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
            "part": self.part,
            "n": self.n,
            "metric": self.metric,
            "dense_metric": self.dense_metric,
            "loss": self.loss,
            "stderr": self.stderr,
            "label_flips": self.label_flips,
            "pruned_share": self.work.pruned_share,
            "net_saving": self.work.net_saving,
            "byte_saving": self.work.byte_saving,
            "attention_share": self.model.attention_share,
            "linear_saving": self.model.linear_saving,
            "model_saving": self.model.saving,
            "model_saving_all_rows": self.model.all_rows.saving,
            "model_saving_with_projections": self.model.saving_with_projections,
            "model_byte_saving": self.model.byte_saving,
            "pruned_heads": self.work.pruned_heads,
            "predicted_cycles": predicted,
            "dense_cycles": dense,
            "seconds": self.seconds,
        }

    def __str__(self):
        return f"{self.name}: {percent(self.model.saving)} of the model saved, {self.lost} points lost"

    @property
    def lost(self):
        """Text of the loss and its standard error, in points."""
        return f"{points(self.loss)} +- {points(self.stderr)}"

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
