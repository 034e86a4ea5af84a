"""What the page of a profile shows."""

from dataclasses import replace

import numpy as np

from hdp_hw.spec.configs import vars_of
from hdp_hw.study.accuracy.attention import HdpAttention
from hdp_hw.study.accuracy.calibrate import Workplace
from hdp_hw.study.accuracy.linear import ESTIMATE
from hdp_hw.study.accuracy.profile import Profile
from hdp_hw.study.report import Section, Table, render
from hdp_hw.study.report.figures import heat_figure, masks_figure

MASK_TOKENS = 40  #: of the text whose masks are drawn


def page(result: Profile, place: Workplace, command: str) -> str:
    """HTML text of a Profile found in a Workplace. Raises MissingPackage."""
    task, comparison = result.task, result.trial.comparison
    lead = [
        result.verdict(),
        f"{task.metric_name} of {task.model.name} on {task.name}: {100 * comparison.dense_metric:.2f} points without "
        f"pruning, in floating point, and {100 * comparison.metric:.2f} with, over {comparison.n} examples; "
        f"{comparison.label_flips} of them change their label.",
        *result.remarks(),
    ]
    settings = {"model": task.model.name, "data": task.describe(), "core": place.label, **vars_of(place.params)}
    sections = [
        _lengths(result),
        *_cut(result),
        _layers(result),
        _heads(result),
        *_masks(result, place),
        _thresholds(result),
    ]
    return render(f"Does pruning pay? {task.model.name} on {task.name}", lead, sections, settings, command)


def _layers(result):
    titles, rows = result.rows()
    text = [
        "Blocks and heads are counted over all examples. Clock cycles are those of the co-processor with a memory that "
        f"never stalls, predicted for {len(result.lengths)} inputs of {min(result.lengths)} to {max(result.lengths)} "
        "positions by the model that equals the RTL; bytes are those that it reads for them. At the break-even share "
        "of computed blocks the decision costs as much as pruning saves.",
    ]
    return Section("Layer by layer", text, [], [Table(titles, rows)])


def _lengths(result):
    text = [
        "What pruning saves of the whole model, for the inputs whose clock cycles were predicted, by their number of "
        "positions. MACs are multiply-accumulates of attention and of the linear layers: projections of Q, K and V, "
        f"output projection, feed-forward network. {ESTIMATE} Bytes are those of operands and weights."
    ]
    tables = [Table(*result.length_rows())]
    if result.first_only:
        text.append(
            "The second table leaves out what nobody reads: all but one row of what follows the last layer's K "
            "and V. One dense query is what remains there of attention."
        )
        tables.append(Table(*replace(result, models=result.first_only).length_rows()))
    return Section("The model, by length", text, [], tables)


def _cut(result):
    if not result.cut:
        return []
    text = ["Loss and shares are of all examples, cut to each length; cycles and bytes of inputs that have it."]
    return [Section("Inputs cut to lengths", text, [], [Table(*result.cut_rows())])]


def _heads(result):
    maps = {"blocks pruned, %": 1 - result.kept, "inputs for which the head is pruned, %": result.pruned}
    return Section("Head by head", ["Means over all examples."], [heat_figure(maps, "head", "layer")])


def _masks(result, place):
    """One head of each layer over the tokens of a short text: the one that prunes as much as half of the others."""
    model, inputs = result.task.model, result.task.inputs
    example = min(inputs, key=len) if model.encoder.layout.images else max((x[:MASK_TOKENS] for x in inputs), key=len)
    names, seen = model.names(example), {}
    if len(names) > 2 * MASK_TOKENS:
        return []

    def observe(layer, settings, results):
        seen[layer] = results

    model.run([example], HdpAttention(result.trial.layers, place.params, observe))
    masks, tile = {}, place.params.tile
    for layer, results in sorted(seen.items()):
        head = int(np.argsort(results.n_kept[0])[results.n_kept.shape[1] // 2])
        mask = results.executed[0, head].repeat(tile, 0).repeat(tile, 1)[: len(names), : len(names)]
        masks[f"layer {layer}, head {head}: {mask.mean():.0%} computed"] = mask
    text = ["Which keys (columns) are computed for each query (row), in the median head of each layer."]
    return [Section("Masks over an input", text, [masks_figure(masks, names)])]


def _thresholds(result):
    rows = []
    for index, layer in enumerate(result.trial.layers):
        thresholds = layer.threshold if isinstance(layer.threshold, tuple) else (layer.threshold,)
        unit = " / n" if layer.relative else ""
        shown = ", ".join("none" if x is None else f"{x:g}{unit}" for x in thresholds)
        taus = layer.tau_head if isinstance(layer.tau_head, tuple) else (layer.tau_head,)
        rows.append([index, layer.rule.name.lower(), shown, ", ".join(f"{x:.3g}" for x in taus)])
    titles = ["layer", "rule", "thresholds of the heads", "mean |A| below which they are pruned"]
    return Section("Thresholds", [], [], [Table(titles, rows, folded=True)])
