"""Examples in parts: some find settings, others accept them, and what both have not seen judges them."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from hdp_hw.spec.params import ParameterError
from hdp_hw.study.tasks import Task

LEAST = 4  #: examples that can be calibrated on
ENOUGH = 90  #: examples of which a third is held back
SEARCH = 100  #: examples to find settings with, at most
POSITIONS = 64  #: by which examples are told apart, so that a text is the same one when it is cut


@dataclass(frozen=True, eq=False)
class Parts:
    """Of one task. search : finds the path of settings; validation : accepts some of it; held_back : neither saw it.

    held_back is None where there are too few examples to hold any back.
    """

    search: Task
    validation: Task
    held_back: Task | None

    @property
    def judging(self) -> Task:
        """The task that results are reported for: what was held back, or else the validation part."""
        return self.held_back or self.validation

    @property
    def seen(self) -> tuple[str, ...]:
        """Digests of the examples that search and validation saw."""
        return tuple(sorted({*digests(self.search), *digests(self.validation)}))


def split(task: Task, seed: int = 0) -> Parts:
    """The Parts of a fitted task: at random, whatever the order of its file, and the same for the same seed.

    A sixth of the examples, SEARCH at most, is for the search and a third is held back from ENOUGH examples on;
    otherwise a third is for the search. The others validate. Examples that repeat stay together.
    Raises ParameterError.
    """
    names = digests(task)
    groups = {name: number for number, name in enumerate(dict.fromkeys(names))}
    n = len(groups)
    if n < LEAST:
        raise ParameterError("data", f"{n} different examples", f"at least {LEAST}, a third of them for the search")
    held_back, search = (n // 3, min(n // 6, SEARCH)) if n >= ENOUGH else (0, n // 3)
    place = np.random.default_rng(seed).permutation(n)[[groups[name] for name in names]]
    found = [place < search, (place >= search) & (place < n - held_back), place >= n - held_back]
    parts = [task.subset(np.flatnonzero(part)) for part in found[: 3 if held_back else 2]]
    return Parts(*parts, *([] if held_back else [None]))


def digests(task: Task) -> list[str]:
    """Eight hexadecimal digits of each example's inputs, which tell it from others in other files too."""
    of_inputs = [_digest(each) for each in task.inputs]
    return [hashlib.sha256("".join(of_inputs[index] for index in uses).encode()).hexdigest()[:8] for uses in task.uses]


def unseen(task: Task, seen: Collection[str]) -> Task | None:
    """The examples that are not among those ``seen``, None where there are fewer than two."""
    known = set(seen)
    examples = [index for index, digest in enumerate(digests(task)) if digest not in known]
    return task.subset(np.array(examples)) if len(examples) > 1 else None


def _digest(example) -> str:
    values = np.ascontiguousarray(example)
    if np.issubdtype(values.dtype, np.integer):
        values = values[:POSITIONS].astype("<i8")  # tokens
    return hashlib.sha256(values.tobytes()).hexdigest()
