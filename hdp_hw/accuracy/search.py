"""The settings of every layer and head that save most within an allowed loss.

1. Scales: per head and operand, the percentile of the magnitudes with the least error (:func:`choices.fit_scales`).
2. On a few inputs: error behind the output projection and array cycles of each rule, threshold and threshold of
   importance, head by head (:class:`choices.LayerChoices`).
3. Weight of a layer: squared error of the model's outputs, over that of the layer alone, when this layer alone prunes.
4. For a price of a cycle, every head takes the choice with the least weighted error + price * cycles. The highest price
   with which the loss measured on the calibration half, and a standard error more, stays allowed is found by bisection.

The other half of the examples, which none of this has seen, says what the settings cost.
"""

import math
from dataclasses import dataclass

from golden.tasks import Comparison, compare
from hdp_hw.accuracy.attention import Counter, HdpAttention
from hdp_hw.accuracy.choices import LayerChoices, Sample
from hdp_hw.accuracy.cost import spread
from hdp_hw.params import HdpParams

SHARE = 0.3  #: of the dense cycles, at which the weights of layers are measured
DECADES = 4.0  #: prices that are searched, above and below the one that would spend as much error as cycles there


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
    typical = [choice.at(SHARE, weight) for choice, weight in zip(choices, weights)]
    base = sum(w * error for w, (_, error, _) in zip(weights, typical)) / sum(cycles for _, _, cycles in typical)
    best = measure(task, [choice.choose(0.0)[0].dense() for choice in choices], params, jobs)
    say(f"dense, in integers: {best}")
    low, high = math.log10(base) - DECADES, math.log10(base) + DECADES
    for step in range(1, steps + 1):
        price = 10 ** ((low + high) / 2)
        trial = measure(task, [x.choose(price, weight)[0] for x, weight in zip(choices, weights)], params, jobs)
        allowed = trial.comparison.loss + trial.comparison.stderr <= max_loss
        say(f"step {step} of {steps}: {trial}: {'allowed' if allowed else 'too much'}")
        if allowed and trial.speedup > best.speedup:
            best = trial
        low, high = ((low + high) / 2, high) if allowed else (low, (low + high) / 2)
    return best


def layer_weights(model, inputs, choices, params):
    """Squared error of the outputs per error of each layer."""
    dense, weights = model.run(inputs), []
    for layer, choice in enumerate(choices):
        settings, error, _ = choice.at(SHARE)
        layers = [settings if each == layer else None for each in range(len(choices))]
        outputs = model.run(inputs, HdpAttention(layers, params))
        weights.append(float(((outputs - dense) ** 2).sum()) / max(error, 1e-12))
    return weights
