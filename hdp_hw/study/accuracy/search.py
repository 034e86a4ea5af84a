"""The settings of every layer and head that save most within an allowed loss.

1. Scales: per head and operand, the percentile of the magnitudes with the least error (:func:`choices.fit_scales`).
2. On a few inputs: error behind the output projection and array cycles of each rule, threshold and threshold of
   importance, head by head (:class:`choices.LayerChoices`).
3. Weight of a layer: squared error of the model's outputs, over that of the layer alone, when this layer alone prunes.
4. For a price of a cycle, every head takes the choice with the least weighted error + price * cycles. Prices for which
   the dense rule would take 1.5 to 7 times the cycles are tried on the calibration half. Loss rises with the price, but
   what is measured scatters: the highest price wins at which its isotonic fit, one standard error added, is allowed.

The other half of the examples, which none of this has seen, says what the settings cost.
"""

from dataclasses import dataclass

import numpy as np

from hdp_hw.spec.params import HdpParams
from hdp_hw.study.accuracy.attention import Counter, HdpAttention
from hdp_hw.study.accuracy.choices import LayerChoices, Sample
from hdp_hw.study.accuracy.cost import spread
from hdp_hw.study.tasks import Comparison, compare

SHARE = 0.3  #: of the dense cycles, at which the weights of layers are measured
SPEEDUPS = (1.5, 7.0)  #: the lowest and the highest that are tried


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings and what they measured. counts : of each layer, LayerCounts of each input."""

    layers: list
    comparison: Comparison
    counts: list
    params: HdpParams

    @property
    def speedup(self):
        """Array cycles of the dense rule over those measured."""
        inputs = [each for layer in self.counts for each in layer]
        dense, own = (
            sum(getattr(each, name)(self.params) for each in inputs) for name in ("dense_cycles", "array_cycles")
        )
        return dense / own

    @property
    def kept_share(self):
        """Share of the blocks of all heads that were computed."""
        inputs = [each for layer in self.counts for each in layer]
        return sum(each.kept.sum() for each in inputs) / sum(each.visited * len(each.kept) for each in inputs)

    def facts(self):
        """Its numbers as JSON has them."""
        return {**vars(self.comparison), "kept_share": float(self.kept_share), "array_speedup": float(self.speedup)}

    def __str__(self):
        pruned = f"{1 - self.kept_share:.1%} of the blocks pruned, {self.speedup:.2f}x fewer array cycles"
        return f"{pruned}; {self.comparison}"


def measure(task, layers, params, jobs=1):
    """Trial of LayerSettings on a fitted task."""
    counter = Counter(len(layers))
    outputs = task.model.run(task.inputs, HdpAttention(layers, params, counter), jobs)
    return Trial(layers, compare(task, outputs), counter.layers, params)


def find(task, params, max_loss, rules, n_sample, steps, jobs, say):
    """The best Trial on a fitted task; every layer is dense where nothing saves enough."""
    model = task.model
    inputs = spread(task.inputs, n_sample)
    samples, choices = Sample.record(model, inputs), []
    for layer, sample in enumerate(samples, 1):
        say(f"layer {layer} of {len(samples)}: errors and cycles of every choice, {len(inputs)} inputs")
        choices.append(LayerChoices(sample, rules, params))
    say("weights of the layers")
    weights = layer_weights(model, inputs, choices, params)
    trials = [measure(task, [choice.choose(0.0)[0].dense() for choice in choices], params, jobs)]
    say(f"dense, in integers: {trials[0]}")
    for step, speedup in enumerate(np.geomspace(*SPEEDUPS, steps), 1):
        price = price_for(choices, weights, 1 / speedup)
        layers = [choice.choose(price, weight)[0] for choice, weight in zip(choices, weights)]
        trials.append(measure(task, layers, params, jobs))
        say(f"step {step} of {steps}: {trials[-1]}")
        comparison = trials[-1].comparison
        if comparison.loss - 2 * comparison.stderr > max_loss:
            break  # and so would all that follow
    losses = isotonic([trial.comparison.loss for trial in trials])
    bounds = [loss + trial.comparison.stderr for loss, trial in zip(losses, trials)]
    return trials[max((index for index, bound in enumerate(bounds) if bound <= max_loss), default=0)]


def price_for(choices, weights, share):
    """The lowest price of a cycle with which the layers take ``share`` of their dense cycles or less, if any has."""
    low, high = -60.0, 60.0
    for _ in range(50):
        price = (low + high) / 2
        cycles = sum(choice.choose(2.0**price, weight)[2] for choice, weight in zip(choices, weights))
        few = cycles <= share * sum(choice.dense_cycles for choice in choices)
        low, high = (low, price) if few else (price, high)
    return 2.0**high


def isotonic(values):
    """The non-decreasing sequence nearest to ``values``: neighbours in the wrong order share their mean."""
    pools = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    return [float(np.mean(pool)) for pool in pools for _ in pool]


def layer_weights(model, inputs, choices, params):
    """Squared error of the outputs per error of each layer."""
    dense, weights = model.run(inputs), []
    for layer, choice in enumerate(choices):
        settings, error, _ = choice.choose(price_for([choice], [1.0], SHARE))
        layers = [settings if each == layer else None for each in range(len(choices))]
        outputs = model.run(inputs, HdpAttention(layers, params))
        weights.append(float(((outputs - dense) ** 2).sum()) / max(error, 1e-12))
    return weights
