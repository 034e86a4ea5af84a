"""hdp-hw profile: what pruning saves and costs for a model, layer by layer and head by head, and whether it pays."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hdp_hw.spec.output_file import write
from hdp_hw.spec.settings import Verdict
from hdp_hw.study.accuracy.cost import Cost, measure_cost, spread
from hdp_hw.study.accuracy.search import Trial
from hdp_hw.study.tasks import Task


@dataclass(frozen=True, eq=False)
class Profile:
    """What was found.

    task, trial : the examples that it is of, and what the settings did with them; said : sentences on what the settings
    hold over other examples, and on whether these were seen before; kept, pruned : [n_layers, n_heads], mean share of
    the blocks that a head computes and share of the inputs for which it is pruned; costs, dense : of each layer, Cost
    under its settings and under the dense rule; lengths : of the inputs that these are of.
    """

    task: Task
    trial: Trial
    said: Sequence[str]
    max_loss: float
    kept: np.ndarray
    pruned: np.ndarray
    costs: list
    dense: list
    lengths: list
    break_even: list

    @property
    def speedup(self) -> float:
        """Clock cycles of the dense rule over those under the settings."""
        return _total(self.dense).cycles / _total(self.costs).cycles

    @property
    def pays(self) -> bool:
        """Fewer clock cycles than dense, and no more loss than allowed."""
        return self.speedup > 1 and self.trial.comparison.loss <= self.max_loss

    def verdict(self) -> str:
        """A sentence."""
        comparison, kept = self.trial.comparison, float(self.trial.kept_share)
        even = float(np.mean(self.break_even))
        why = (
            f"{self.speedup:.2f}x fewer clock cycles than dense for {100 * comparison.loss:.2f} +- "
            f"{100 * comparison.stderr:.2f} points lost ({100 * self.max_loss:g} allowed)"
        )
        share = f"{kept:.1%} of the blocks are computed; pruning saves cycles as long as less than {even:.0%} are"
        return f"Pruning {'pays' if self.pays else 'does not pay'}: {why}. {share}."

    def facts(self) -> dict:
        """What the JSON file holds."""
        return {
            "verdict": self.verdict(),
            "pays": self.pays,
            "examples": self.task.describe(),
            **self.trial.facts(),
            "said": list(self.said),
            "max_loss": self.max_loss,
            "speedup": self.speedup,
            "break_even_share": self.break_even,
            "kept": self.kept.tolist(),
            "pruned": self.pruned.tolist(),
            "lengths": self.lengths,
            "costs": [asdict(cost) for cost in self.costs],
            "dense_costs": [asdict(cost) for cost in self.dense],
        }

    def rows(self) -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the table of layers."""
        titles = ["layer", "rule", "blocks computed", "heads pruned", "cycles", "of dense", "bytes read", "of dense"]
        titles += ["break-even share"]
        rows = []
        for index, (settings, cost, dense) in enumerate(zip(self.trial.layers, self.costs, self.dense)):
            shares = [f"{self.kept[index].mean():.1%}", f"{self.pruned[index].mean():.1%}"]
            cells = [f"{cost.cycles:,}", f"{cost.cycles / dense.cycles:.1%}"]
            cells += [f"{cost.bytes_read:,}", f"{cost.bytes_read / dense.bytes_read:.1%}"]
            rows.append([str(index), settings.rule.name.lower(), *shares, *cells, f"{self.break_even[index]:.0%}"])
        return titles, rows

    def text(self) -> str:
        """The table and the verdict."""
        titles, rows = self.rows()
        widths = [max(map(len, column)) for column in zip(titles, *rows)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in (titles, *rows)]
        return "\n".join([*lines, "", self.verdict(), *self.said])


def profile(task: Task, trial: Trial, max_loss: float, n_timed: int = 8, said: Sequence[str] = ()) -> Profile:
    """Profile of a Trial on a task.

    n_timed : inputs whose clock cycles and bytes are predicted, of evenly spread lengths.
    """
    inputs = spread(task.inputs, n_timed)
    meter = measure_cost(task.model, inputs, trial.layers, trial.params)
    kept = np.array([np.mean([each.kept_shares for each in counts], 0) for counts in trial.counts])
    verdicts = [np.array([each.verdicts for each in counts]) for counts in trial.counts]
    pruned = np.array([(of_layer == Verdict.PRUNED).mean(0) for of_layer in verdicts])
    lengths = list(map(task.model.encoder.seq_len, inputs))
    even = [meter.break_even(layer) for layer in range(len(trial.layers))]
    counted = kept, pruned, meter.layers, meter.dense, lengths, even
    return Profile(task, trial, said, max_loss, *counted)


def write_json(result: Profile, folder: Path, name: str) -> Path:
    """Write the JSON; returns its path."""
    path = folder / f"{name}.json"
    write(path, json.dumps(result.facts(), indent=1) + "\n")
    return path


def _total(costs):
    return sum(costs, Cost())
