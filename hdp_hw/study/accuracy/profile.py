"""hdp-hw profile: what pruning saves and costs for a model, by layer, head and length, and whether it pays."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Verdict
from hdp_hw.study.accuracy.cost import measure_cost, spread
from hdp_hw.study.accuracy.linear import ESTIMATE
from hdp_hw.study.accuracy.model_cost import TITLES, ModelCost, model_costs
from hdp_hw.study.accuracy.search import Trial
from hdp_hw.study.bench.records import aligned
from hdp_hw.study.tasks import Task

WORTH = 0.01  #: of the model's clock cycles, that pruning saves at least where it pays


@dataclass(frozen=True, eq=False)
class Profile:
    """What was found.

    task, trial : the examples that it is of, and what the settings did with them; said : sentences on what the settings
    hold over other examples, and on whether these were seen before; kept, pruned : [n_layers, n_heads], mean share of
    the blocks that a head computes and share of the inputs for which it is pruned; costs, dense : of each layer, Cost
    under its settings and under the dense rule; lengths : of the inputs that these are of; models, first_only :
    ModelCost by length, of all rows, and where rows that nobody reads are left out, for models that read one; cut :
    Profiles of the same examples, whose inputs were cut to lengths.
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
    models: dict[int, ModelCost]
    first_only: dict[int, ModelCost]
    cut: dict[int, "Profile"] = field(default_factory=dict)

    @property
    def model(self) -> ModelCost:
        """Of all lengths."""
        return _total(self.models)

    @property
    def pays(self) -> bool:
        """The model takes fewer clock cycles than under the dense rule, by WORTH, and loses no more than allowed."""
        return self.model.cycles_saving >= WORTH and self.trial.comparison.loss <= self.max_loss

    def verdict(self) -> str:
        """Sentences: what pruning saves of the model and costs it, and what it saves of attention alone."""
        comparison, model = self.trial.comparison, self.model
        enough = "" if model.cycles_saving >= WORTH else f", where {100 * WORTH:g}% is the least that pays"
        return (
            f"Pruning {'pays' if self.pays else 'does not pay'}: {_fewer(model.cycles_saving)} for the model{enough}, "
            f"{100 * comparison.loss:.2f} +- {100 * comparison.stderr:.2f} points lost ({100 * self.max_loss:g} "
            f"allowed). Attention alone, {model.cycles_share:.1%} of the model's dense cycles and "
            f"{model.macs_share:.1%} of its multiplications, takes {_fewer(model.attention_saving)}."
        )

    def remarks(self) -> list[str]:
        """Sentences on what the verdict is made of."""
        kept, even = self.trial.kept_share, np.mean(self.break_even)
        said = [ESTIMATE]
        if self.first_only:
            first = _total(self.first_only)
            said.append(
                f"{self.task.model.name} reads one position of its last layer. Where the others are not computed "
                f"there, attention is {first.cycles_share:.1%} of the dense cycles, and pruning saves "
                f"{first.cycles_saving:.1%}."
            )
        blocks = f"{kept:.1%} of the blocks are computed; pruning saves cycles as long as less than {even:.0%} are."
        return [*said, blocks, *self.said]

    def facts(self) -> dict:
        """What the JSON file holds."""
        return {
            "verdict": self.verdict(),
            "pays": self.pays,
            "examples": self.task.describe(),
            **self.trial.facts(),
            "said": list(self.said),
            "max_loss": self.max_loss,
            "model": self.model.facts(),
            "models_by_length": _facts(self.models),
            "first_row_only_by_length": _facts(self.first_only),
            "cut_to_length": {n: each.facts() for n, each in self.cut.items()},
            "remarks": self.remarks(),
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

    def length_rows(self) -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the table of lengths."""
        rows = [[str(n), str(self.lengths.count(n)), *model.cells] for n, model in self.models.items()]
        return ["positions", "inputs", *TITLES], rows

    def cut_rows(self) -> tuple[list[str], list[list[str]]]:
        """Titles and rows of the table of ``cut``."""
        rows = []
        for n, each in self.cut.items():
            comparison = each.trial.comparison
            shares = [f"{each.trial.kept_share:.1%}", f"{each.pruned.mean():.1%}"]
            lost = f"{100 * comparison.loss:.2f} +- {100 * comparison.stderr:.2f}"
            rows.append([str(n), str(len(each.lengths)), *each.model.cells, *shares, lost])
        return ["cut to", "inputs", *TITLES, "blocks computed", "heads pruned", "points lost"], rows

    def text(self) -> str:
        """The tables and the verdict."""
        tables = [self.rows(), self.length_rows(), *([self.cut_rows()] if self.cut else [])]
        lines = [aligned([titles, *rows]) for titles, rows in tables]
        return "\n\n".join([*lines, "\n".join([self.verdict(), *self.remarks()])])


def profile(
    task: Task, trial: Trial, max_loss: float, n_timed: int = 8, said: Sequence[str] = (), length: int | None = None
) -> Profile:
    """Profile of a Trial on a task.

    n_timed : inputs whose clock cycles and bytes are predicted, of evenly spread lengths, or of this ``length``.
    Raises ParameterError where no input has it.
    """
    encoder = task.model.encoder
    inputs = spread(of_length(task, length), n_timed)
    meter = measure_cost(task.model, inputs, trial.layers, trial.params)
    kept = np.array([np.mean([each.kept_shares for each in counts], 0) for counts in trial.counts])
    verdicts = [np.array([each.verdicts for each in counts]) for counts in trial.counts]
    pruned = np.array([(of_layer == Verdict.PRUNED).mean(0) for of_layer in verdicts])
    lengths = list(map(encoder.seq_len, inputs))
    even = [meter.break_even(layer) for layer in range(len(trial.layers))]
    counted = kept, pruned, meter.layers, meter.dense, lengths, even
    models = model_costs(meter, encoder, lengths)
    first_only = model_costs(meter, encoder, lengths, first_only=True) if encoder.n_labels else {}
    return Profile(task, trial, said, max_loss, *counted, models, first_only)


def of_length(task: Task, length: int | None) -> list:
    """The inputs of a task that have ``length`` positions; all of them for None.

    Raises ParameterError where there is none.
    """
    found = [each for each in task.inputs if length in (None, task.model.encoder.seq_len(each))]
    if not found:
        longest = max(map(task.model.encoder.seq_len, task.inputs))
        raise ParameterError("lengths", length, f"a length of inputs; the longest has {longest} positions")
    return found


def write_json(result: Any, folder: Path, name: str) -> Path:
    """Write the ``facts()`` of a result as JSON; returns the path."""
    path = folder / f"{name}.json"
    write(path, json.dumps(result.facts(), indent=1) + "\n")
    return path


def _total(models: dict[int, ModelCost]) -> ModelCost:
    return sum(models.values(), ModelCost())


def _facts(models: dict[int, ModelCost]) -> dict[int, dict]:
    return {n: model.facts() for n, model in models.items()}


def _fewer(saving: float) -> str:
    """``4.1% fewer clock cycles than dense (1.04x)``."""
    kind = "fewer" if saving >= 0 else "more"
    return f"{abs(saving):.1%} {kind} clock cycles than dense ({1 / (1 - saving):.2f}x)"
