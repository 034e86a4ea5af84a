"""The settings of every layer and head that save most within an allowed loss.

1. Scales: per head and operand, the percentile of the magnitudes with the least error (:func:`choices.fit_scales`).
2. On a few inputs: error behind the output projection and array cycles of each rule, threshold and threshold of
   importance, head by head (:class:`choices.LayerChoices`).
3. Weight of a layer: squared error of the model's outputs, over that of the layer alone, when this layer alone prunes.
4. For a price of a cycle, every head takes the choice with the least weighted error + price * cycles. Prices for which
   the dense rule would take 1.5 to 7 times the cycles make the path of settings, from mild to strong.

All of this sees the search part only. The validation part then tests the path, step after step (:func:`accept`): a step
is accepted when the upper bound of its loss (:mod:`bound`) is allowed, and the first that is not ends the test. This is
fixed-sequence testing. To accept any step that loses more than allowed, the test must accept the first of these in
their order, which an upper bound lets happen with a probability of 1 - confidence; so the number of steps needs no
correction.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hdp_hw.driver.layer import LayerSettings
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import Rule
from hdp_hw.study.accuracy.attention import Counter, HdpAttention
from hdp_hw.study.accuracy.bound import CONFIDENCE, loss_bound
from hdp_hw.study.accuracy.choices import LayerChoices, Sample
from hdp_hw.study.accuracy.cost import spread
from hdp_hw.study.models import Model
from hdp_hw.study.tasks import Comparison, Task, compare

Say = Callable[[str], None]

SHARE = 0.3  #: of the dense cycles, at which the weights of layers are measured
SPEEDUPS = (1.5, 7.0)  #: the lowest and the highest that are tried
PATIENCE = 15.0  #: seconds without a line of progress


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings and what they measured.

    counts : of each layer, LayerCounts of each input; bound : see :func:`bound.loss_bound`.
    """

    layers: list
    comparison: Comparison
    counts: list
    params: HdpParams
    bound: float

    @property
    def speedup(self) -> float:
        """Array cycles of the dense rule over those measured."""
        inputs = [each for layer in self.counts for each in layer]
        dense, own = (
            sum(getattr(each, name)(self.params) for each in inputs) for name in ("dense_cycles", "array_cycles")
        )
        return dense / own

    @property
    def kept_share(self) -> float:
        """Share of the blocks of all heads that were computed."""
        inputs = [each for layer in self.counts for each in layer]
        return sum(each.kept.sum() for each in inputs) / sum(each.visited * len(each.kept) for each in inputs)

    def facts(self) -> dict:
        """Its numbers as JSON has them."""
        bound = self.bound if np.isfinite(self.bound) else None
        saved = {"kept_share": float(self.kept_share), "array_speedup": float(self.speedup)}
        return {**vars(self.comparison), "bound": bound, **saved}

    def __str__(self) -> str:
        pruned = f"{1 - self.kept_share:.1%} of the blocks pruned, {self.speedup:.2f}x fewer array cycles"
        return f"{pruned}; {self.comparison}"


class Ticks:
    """Says how many of ``n`` inputs are done, every PATIENCE seconds."""

    def __init__(self, n: int, say: Say):
        self.n, self.say, self.last = n, say, time.monotonic()

    def __call__(self, done: int) -> None:
        if time.monotonic() - self.last > PATIENCE:
            self.say(f"  {done} of {self.n} inputs")
            self.last = time.monotonic()


def measure(
    task: Task,
    layers: Sequence[LayerSettings],
    params: HdpParams,
    jobs: int = 1,
    confidence: float = CONFIDENCE,
    say: Say = lambda line: None,
) -> Trial:
    """Trial of LayerSettings on a fitted task."""
    counter = Counter(len(layers))
    ticks = Ticks(len(task.inputs), say)
    outputs = task.model.run(task.inputs, HdpAttention(layers, params, counter), jobs, ticks)
    comparison = compare(task, outputs)
    bound = loss_bound(task, outputs, comparison, confidence)
    return Trial(list(layers), comparison, counter.layers, params, bound)


def path(
    task: Task, params: HdpParams, rules: Sequence[Rule], n_sample: int, steps: int, say: Say
) -> Iterator[list[LayerSettings]]:
    """LayerSettings of each layer: dense, then ``steps`` from mild to strong, as a fitted task suggests them.

    n_sample : inputs of the task on which choices are tried.
    """
    model, inputs, choices = task.model, spread(task.inputs, n_sample), []
    samples = Sample.record(model, inputs)
    for layer, sample in enumerate(samples, 1):
        say(f"layer {layer} of {len(samples)}: errors and cycles of every choice, {len(inputs)} inputs")
        choices.append(LayerChoices(sample, rules, params))
    say("weights of the layers")
    weights = layer_weights(model, inputs, choices, params)
    yield [choice.choose(0.0)[0].dense() for choice in choices]
    for speedup in np.geomspace(*SPEEDUPS, steps):
        price = price_for(choices, weights, 1 / speedup)
        yield [choice.choose(price, weight)[0] for choice, weight in zip(choices, weights)]


def accept(trials: Iterator[Trial], max_loss: float, steps: int, say: Say) -> Trial:
    """The last Trial of a path before the first whose bound is above ``max_loss``; at least the dense one.

    trials : measured as they are asked for, the dense one first; it needs no test, as it is what remains.
    """
    accepted = next(trials)
    say(f"dense, in integers: {accepted}")
    for step, trial in enumerate(trials, 1):
        held = trial.bound <= max_loss
        say(f"step {step} of {steps}: {trial}, at most {100 * trial.bound:.2f}: {'accepted' if held else 'refused'}")
        if not held:
            break
        accepted = trial
    return accepted


def price_for(choices: Sequence[LayerChoices], weights: Sequence[float], share: float) -> float:
    """The lowest price of a cycle with which the layers take ``share`` of their dense cycles or less, if any has."""
    low, high = -60.0, 60.0
    for _ in range(50):
        price = (low + high) / 2
        cycles = sum(choice.choose(2.0**price, weight)[2] for choice, weight in zip(choices, weights))
        few = cycles <= share * sum(choice.dense_cycles for choice in choices)
        low, high = (low, price) if few else (price, high)
    return 2.0**high


def layer_weights(model: Model, inputs: list, choices: Sequence[LayerChoices], params: HdpParams) -> list[float]:
    """Squared error of the outputs per error of each layer."""
    dense, weights = model.run(inputs), []
    for layer, choice in enumerate(choices):
        settings, error, _ = choice.choose(price_for([choice], [1.0], SHARE))
        layers = [settings if each == layer else None for each in range(len(choices))]
        outputs = model.run(inputs, HdpAttention(layers, params))
        weights.append(float(((outputs - dense) ** 2).sum()) / max(error, 1e-12))
    return weights
