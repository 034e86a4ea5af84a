"""What a layer may be set to, and what each choice costs: errors and cycles of a few inputs, head by head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.driver.layer import LayerSettings, as_scale
from hdp_hw.golden.bits.core.attention_core import HeadResults, attend_many
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.cycles.core.plan import array_cycles
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict
from hdp_hw.study.models import Model, softmax_attention

#: Thresholds of each rule from loose to strict: multiples of 1 / n, nats, rho.
THRESHOLDS = {
    Rule.MASS: (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 8.0, 13.0, 25.0),
    Rule.MARGIN: (9.0, 6.0, 4.0, 2.8, 2.0, 1.4, 1.0, 0.7, 0.4, 0.2),
    Rule.ROW_THRESHOLD: (-0.9, -0.6, -0.3, 0.0, 0.15, 0.3, 0.5, 0.7, 0.9),
}
PERCENTILES = (99.0, 99.9, 99.99, 100.0)  #: of magnitudes: candidates for the scales
PRUNED_SHARES = (0.0, 0.5, 1.0)  #: of the inputs, for which a head may be pruned
TAU_SLACK = 1.1  #: by how much a threshold of heads lies above the largest mean |A| that was seen
UNPRUNED = 1e-3  #: weight of what a choice would cost if no head were pruned whole, as some will not be elsewhere


@dataclass(frozen=True, eq=False)
class Sample:
    """One layer of the model without pruning, on a few inputs.

    q, k, v : lists of [n_heads, n, head_dim]; weight : of the output projection, [hidden_size, hidden_size];
    rows : slice of the queries whose context matters.
    """

    q: list
    k: list
    v: list
    weight: np.ndarray
    rows: slice

    @classmethod
    def record(cls, model: Model, inputs: list) -> "list[Sample]":
        """A Sample of each layer."""
        encoder, records = model.encoder, []

        def recorder(layer, q, k, v):
            records[layer].append((q, k, v))
            return softmax_attention(layer, q, k, v)

        records += [[] for _ in range(encoder.n_layers)]
        for example in inputs:
            encoder(example, recorder)
        samples = []
        for layer, of_layer in enumerate(records):
            only_first = bool(model.labels) and layer == encoder.n_layers - 1  # all that the classifier looks at
            weight = encoder.tensors[f"{layer}.context.weight"].astype(np.float64)
            samples.append(cls(*map(list, zip(*of_layer)), weight, slice(0, 1 if only_first else None)))
        return samples

    def errors(self, contexts: Sequence[np.ndarray]) -> np.ndarray:
        """[n_inputs, n_heads]: squared error that each head's context leaves behind the output projection."""
        rows = []
        for index, context in enumerate(contexts):
            exact = softmax_attention(None, self.q[index], self.k[index], self.v[index])
            difference = (context - exact)[:, self.rows].astype(np.float64)
            parts = self.weight.reshape(len(self.weight), len(difference), -1).swapaxes(0, 1)  # [n_heads, hidden, d]
            projected = difference @ parts.swapaxes(-1, -2)
            rows.append((projected**2).sum((-2, -1)))
        return np.array(rows)

    def run(self, layer: LayerSettings, params: HdpParams) -> tuple[list[np.ndarray], list[HeadResults], HeadSettings]:
        """``(contexts, [HeadResults], HeadSettings of the first head)`` under LayerSettings."""
        contexts, results = [], []
        scales = [as_scale(absmax) for absmax in (layer.q_absmax, layer.k_absmax, layer.v_absmax)]
        for operands in zip(self.q, self.k, self.v):
            n_heads, n, head_dim = operands[0].shape
            heads = layer.head_settings(n_heads, n_heads, n, n, head_dim, params)
            result = attend_many(*(quantize(x, scale, params) for x, scale in zip(operands, scales)), heads, params)
            contexts.append(result.output * (scales[2] / params.digit_max))
            results.append(result)
        return contexts, results, heads[0]


def fit_scales(sample: Sample, params: HdpParams) -> dict[str, tuple[float, ...]]:
    """``{"q_absmax": of each head, ...}``: per head the percentile of the magnitudes with the least error.

    The error is that of the scores of digit multipliers with all blocks kept, whatever the array: they leave out the
    product of the fractions, and where that is large A, which decides, sees little.
    """
    params = replace(params, multiplier=0)
    candidates = []
    for percentile in PERCENTILES:
        scales = {}
        for name, parts in (("q", sample.q), ("k", sample.k), ("v", sample.v)):
            magnitudes = np.abs(np.concatenate(parts, 1)).reshape(len(parts[0]), -1)
            scales[f"{name}_absmax"] = np.maximum(np.percentile(magnitudes, percentile, axis=1), 1e-6)
        layer = LayerSettings(**scales, rule=Rule.MARGIN, raw={"margin": 2**16 - 1})
        candidates.append((sample.errors(sample.run(layer, params)[0]).sum(0), scales))
    best = np.argmin([errors for errors, _ in candidates], 0)
    heads = range(len(best))
    return {name: tuple(candidates[best[head]][1][name][head].item() for head in heads) for name in candidates[0][1]}


class LayerChoices:
    """Errors and array cycles of every choice for one layer; :meth:`choose` weighs them against each other.

    Each head has a threshold of its own, and one of its importance, below which it is pruned whole. The rule, and what
    a pruned head's output is, are those of the layer.
    """

    def __init__(self, sample: Sample, rules: Sequence[Rule], params: HdpParams):
        self.params, self.scales = params, fit_scales(sample, params)
        self.options = []  # (LayerSettings fields, thresholds, tau [n_heads, m], errors and cycles [n_heads, k, m])
        n_heads = len(sample.q[0])
        dense = self._measure(sample, {"rule": Rule.DENSE})
        self.dense_cycles = float(dense[1].sum())
        self.options.append(
            ({"rule": Rule.DENSE}, (None,), np.zeros((n_heads, 1)), *(x.sum(0)[:, None, None] for x in dense[:2]))
        )
        for rule in rules:
            fields = {"rule": rule, "compensate": True, "relative": rule == Rule.MASS}
            measured = [self._measure(sample, fields | {"threshold": x}) for x in THRESHOLDS[rule]]
            errors, cycles = (np.stack([each[part] for each in measured], -1) for part in (0, 1))  # [inputs, heads, k]
            importance, predicted = measured[0][2:]
            tau = np.quantile(importance, PRUNED_SHARES, axis=0).T * TAU_SLACK
            tau[:, 0] = 0
            pruned = importance[..., None] < tau  # [inputs, heads, m]
            for mean_output in (False, True):
                gone = np.where(pruned, self._pruned_errors(sample, mean_output)[..., None], 0)
                total = [
                    (np.where(pruned[:, :, None], 0, x[..., None]) + y[:, :, None]).sum(0)
                    for x, y in ((errors, gone), (cycles, pruned * predicted[..., None]))
                ]
                self.options.append((fields | {"mean_output": mean_output}, THRESHOLDS[rule], tau, *total))

    def choose(self, price: float, weight: float = 1.0) -> tuple[LayerSettings, float, float]:
        """``(LayerSettings, error, cycles)`` with the least ``weight * error + price * cycles``.

        Thresholds of a head that every input of the sample prunes whole cost the same: the one that would be best if
        none did is taken.
        """
        best = None
        for fields, thresholds, tau, errors, cycles in self.options:
            cost = weight * errors + price * cycles
            cost += UNPRUNED * cost[..., :1]  # where tau is 0
            places = cost.reshape(len(cost), -1).argmin(1)
            k, m = np.unravel_index(places, cost.shape[1:])
            heads = np.arange(len(cost))
            total = cost[heads, k, m].sum()
            if best is None or total < best[0]:
                more = {} if thresholds[0] is None else {"threshold": [thresholds[index] for index in k]}
                settings = LayerSettings(**self.scales, **fields, **more, tau_head=tau[heads, m])
                best = total, settings, float(errors[heads, k, m].sum()), float(cycles[heads, k, m].sum())
        return best[1:]

    def _measure(self, sample, fields):
        """Errors, cycles, importances (mean |A|) and cycles of prediction, each [n_inputs, n_heads]."""
        contexts, results, settings = sample.run(LayerSettings(**self.scales, **fields), self.params)
        columns = []
        for result, q in zip(results, sample.q):
            cycles, alone = (
                array_cycles(settings, verdict, result.n_visited, kept, self.params)
                for verdict, kept in ((result.verdict, result.n_kept), (Verdict.PRUNED, np.zeros_like(result.n_kept)))
            )
            columns.append((cycles, result.theta_head / q.shape[1] ** 2, alone))
        return sample.errors(contexts), *(np.array(column, float) for column in zip(*columns))

    def _pruned_errors(self, sample, mean_output):
        """Errors when every head is pruned."""
        return sample.errors(
            [np.broadcast_to(v.mean(1, keepdims=True), v.shape) if mean_output else 0 * v for v in sample.v]
        )
