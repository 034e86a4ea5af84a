"""What the page of a comparison shows."""

from hdp_hw.spec.configs import vars_of
from hdp_hw.study.compare.findings import BOUND, best, chosen, curves, findings, judged, part
from hdp_hw.study.compare.records import percent, points
from hdp_hw.study.compare.sweep import JUDGED, SEARCH, Point
from hdp_hw.study.compare.worker import CALIBRATION_INPUTS, method_of
from hdp_hw.study.report import Section, Table, render
from hdp_hw.study.report.figures import Curve, curves_figure, heat_figure, masks_figure

BUDGET = 0.01  #: loss under which the page picks settings to show
COLORS = {
    "HDP dense": "#1f2328",
    "HDP calibrated": "#000000",
    "HDP row_threshold": "#9ec5f0",
    "HDP row_threshold, compensated": "#5b9bd5",
    "HDP margin": "#8fd3b6",
    "HDP margin, compensated": "#2c9a60",
    "HDP mass": "#7a8df0",
    "HDP mass, compensated": "#1b3fd6",
    "HDP mass, compensated, heads to 0": "#7b2fbf",
    "HDP mass, compensated, heads to mean V": "#c56ef0",
    "HDP mass, compensated, tokens leave": "#e0569b",
    "oracle": "#8c959f",
    "oracle, compensated": "#59636e",
    "SpAtten tokens, out of attention": "#d9730d",
    "SpAtten tokens, dropped": "#f0ad6b",
    "SpAtten heads": "#b34700",
    "SpAtten values": "#e3b341",
    "SpAtten tokens, heads, values": "#8a5a00",
    "A3": "#cf222e",
    "Energon": "#bf3989",
    "DynaTran": "#1a7f7f",
    "Sanger": "#6f4e37",
}
MARKERS = "os^Dv<>PXp*h"  #: of curves that are to be told apart in print
MASK_TOKENS = 40  #: the input whose masks are drawn has no more than these


def report(records, job, prepared, command):
    """HTML text of a comparison's records. Raises MissingPackage."""
    task, sizes = prepared.task, {name: len(each.dense) for name, each in prepared.parts.items()}
    dense = task.metric(prepared.parts[JUDGED].dense, task.labels)
    lead = [
        f"{task.metric_name} of {job.model} on {task.name}: {points(dense)} points without pruning, in 32-bit floating "
        f"point, over {sizes[JUDGED]} examples. {sizes[SEARCH]} others chose the settings. A loss is in points of this "
        "metric (hundredths), with the standard error of the paired difference. It is within a budget if it is with "
        "one standard error added, so that the luckiest of many settings is not taken for the best.",
        *findings(records),
    ]
    swept = part(records, SEARCH)
    return render(
        f"HDP and its peers: {job.model} on {task.name}",
        lead,
        [
            _model(swept),
            _ranking(records),
            _curves(swept),
            _cycles(swept),
            _heads(swept),
            *_masks(records, job, prepared),
            _table(records),
        ],
        _settings(job, prepared),
        command,
    )


def _model(records):
    model = records[0].model
    text = [
        f"Attention is {percent(model.attention_share)} of the model's multiply-accumulates at these lengths; linear "
        "layers are the rest. What is saved of the model is the work avoided in both, the decision's own subtracted "
        "(hdp_hw/study/peers/model_work.py). Of the linear layers, SpAtten spares removed tokens and heads, and HDP "
        "tokens that leave.",
        "Losses are of the examples that settings are chosen by. The dotted line is a loss of one point.",
    ]
    if model.first_only:
        text.append(
            f"The model reads one position of its last layer. What nobody reads of it, {percent(model.unread)} of the "
            "work of all rows, is computed for nobody and no saving here."
        )
    names = [*_others(records), *_best_of_ours(records)]
    figure = _curve_figure(records, names, "saved of the model, %", lambda each: each.model.saving, marked=True)
    return Section("Loss against what is saved of the model", text, [figure] if figure else [])


def _best_of_ours(records):
    """The curve of HDP that saves most of the model within the budget, or the last one; and the one with settings."""
    ours = [each for each in records if each.ours]
    best_one = list(chosen(ours, BUDGET))[:1] or curves(ours)[-1:]
    more = ("HDP calibrated", "HDP mass, compensated, tokens leave")
    return [*best_one, *(name for name in more if name in curves(ours) and name not in best_one)]


def _others(records):
    return [curve for curve in curves(records) if not curve.startswith("HDP")]


def _curves(records):
    ours, others = [curve for curve in curves(records) if curve.startswith("HDP")], _others(records)
    bound = [curve for curve in others if curve.startswith(BOUND)]
    text = [
        "Net saving is the work avoided in QK^T and PV, the decision's own work subtracted: multiply-accumulates at "
        "the precision of each, in units of 8 x 8 bits (hdp_hw/study/peers/cost.py). Below zero a decision costs more "
        "than it saves. Peers compute in floating point and are charged for 8 bits; HDP pays for its quantisation in "
        "the metric. The oracle knows the softmax beforehand and is a bound, not a method.",
        "Losses are of the examples that settings are chosen by. The dotted line is a loss of one point.",
    ]
    figures = [
        _curve_figure(records, names, "net saving in attention, %", lambda each: each.work.net_saving)
        for names in (ours + bound, others + _best_of_ours(records))
    ]
    return Section("Loss against net saving in attention", text, [figure for figure in figures if figure])


def _curve_figure(records, names, x_label, saved, marked=False):
    drawn = []
    for index, name in enumerate(names):
        own = sorted((each for each in records if each.curve == name), key=saved)
        drawn.append(
            Curve(
                name,
                [100 * saved(each) for each in own],
                [100 * each.loss for each in own],
                [100 * each.stderr for each in own],
                COLORS.get(name, "#1f2328"),
                dashed=name.startswith(BOUND),
                width=0.9 if marked else 2.2 if name.startswith("HDP mass, compensated") else 1.4,
                marker=MARKERS[index % len(MARKERS)] if marked else "o",
            )
        )
    return curves_figure(drawn, x_label, "loss, points", 100 * BUDGET, wide=marked) if drawn else None


HEAD = [
    "curve", "parameters", "saved of the model", "loss", "flips", "net saving, attention", "linear saved",
    "bytes saved, model", "saved, all rows", "saved, with projections", "MACs pruned", "bytes saved, attention",
    "speed-up", "heads pruned", "metric", "cycles", "dense cycles",
]  # fmt: skip


def _ranking(records):
    within = judged(records, BUDGET)
    text = [
        f"Of each curve the setting that saves most of the model while its loss and one standard error are "
        f"{100 * BUDGET:g} point or less together, on the examples that chose it, and what it does on the others. "
        '"All rows": where the last layer computes what nobody reads, too. "With projections": where V and output '
        "projection of heads that HDP prunes whole are spared as well, which the co-processor does not do. Speed-up is "
        'that of our array in attention over dense, by the cycle model; "no" where it cannot execute the masks (single '
        "elements).",
    ]
    missing = [curve for curve in curves(records) if curve not in within]
    if missing:
        text.append(f"No setting tried saves anything within that loss: {'; '.join(missing)}.")
    strong = tuple(index for index, record in enumerate(within.values()) if record.ours)
    return Section("Best at one point", text, [], [Table(*ranking(records), strong)])


def ranking(records):
    """Titles and rows: of each curve the setting that is best within BUDGET where it is chosen, and what it does where
    it is judged."""
    of_search, rows = chosen(records, BUDGET), []
    for curve, record in judged(records, BUDGET).items():
        cells = _cells(record)
        rows.append([*cells[:3], of_search[curve].lost, *cells[3:13]])
    return [*HEAD[:3], "loss, chosen by", "loss, judged by", *HEAD[4:13]], rows


def _cells(record):
    """Under HEAD."""
    work, model = record.work, record.model
    return [
        record.curve,
        record.numbers,
        percent(model.saving),
        record.lost,
        record.label_flips,
        percent(work.net_saving),
        percent(model.linear_saving),
        percent(model.byte_saving),
        percent(model.all_rows.saving),
        percent(model.saving_with_projections),
        percent(work.pruned_share),
        percent(work.byte_saving),
        f"{record.speedup:.2f}" if record.speedup else "no",
        percent(work.pruned_heads),
        f"{100 * record.metric:.2f}",
        work.cycles[0] if work.cycles else "no",
        work.cycles[1] if work.cycles else "no",
    ]


def _cycles(records):
    timed = [record for record in records if record.speedup]
    drawn = []
    for name in curves(timed):
        own = sorted((each for each in timed if each.curve == name), key=lambda each: each.speedup)
        values = [each.speedup for each in own], [100 * each.loss for each in own], [100 * each.stderr for each in own]
        drawn.append(Curve(name, *values, COLORS.get(name, "#1f2328"), dashed=name.startswith(BOUND)))
    fastest = best([record for record in timed if record.ours], BUDGET, by=lambda record: record.speedup)
    text = ["Clock cycles of the cores, predicted by the model that equals the RTL, dense over pruned."]
    if fastest:
        predicted, dense = fastest.work.cycles
        text.append(
            f"Fastest within {100 * BUDGET:g} point: {fastest.name}, {fastest.speedup:.2f} times: {predicted} cycles "
            f"in place of {dense}."
        )
    return Section(
        "Loss against speed-up",
        text,
        [curves_figure(drawn, "speed-up over dense", "loss, points", 100 * BUDGET)] if drawn else [],
    )


def _heads(records):
    shown = {}
    for title, own in (
        ("blocks and heads", [each for each in records if each.ours and "heads" in each.parameters]),
        ("blocks", [each for each in records if each.ours and "heads" not in each.parameters]),
    ):
        record = best(own, BUDGET)
        if record:
            if title == "blocks and heads":
                shown[f"heads pruned, %: {record.name}"] = record.work.share("pruned_heads", "texts")
            shown[f"MACs avoided, %: {record.name}"] = 1 - record.work.share("macs", "dense_macs")
    text = ["Per layer and head, over all examples, for HDP's best settings within one point."]
    return Section(
        "What is pruned where", text, [heat_figure({title: shares}, "head", "layer") for title, shares in shown.items()]
    )


def _masks(records, job, prepared):
    """Sections with the masks over the tokens of one input, for the best settings within the budget."""
    task = prepared.task
    encoder = task.model.encoder
    lengths = [encoder.seq_len(each) for each in task.inputs]
    fitting = [index for index, n in enumerate(lengths) if n <= MASK_TOKENS]
    if not fitting:
        return []
    tokens = task.inputs[max(fitting, key=lengths.__getitem__)]
    layer, head = encoder.n_layers // 2, 0
    shown = {}
    for record in judged(records, BUDGET).values():
        method = method_of(Point(record.curve, record.method, tuple(record.parameters.items())), prepared, job.params)
        method.masks, method.timed_texts = [], 0
        task.model.run([tokens], method)
        mask = method.masks[layer].reshape(encoder.n_heads, *method.masks[layer].shape[-2:])[head]
        shown[f"{record.name}\n{percent(1 - mask.mean())} of the pairs pruned"] = mask
    text = [
        f"Which keys (columns) each query (row) keeps in layer {layer}, head {head}, for the best setting of each "
        "curve within one point."
    ]
    if not shown:
        return []
    return [Section("Masks over real tokens", text, [masks_figure(shown, task.model.names(tokens))])]


def _table(records):
    strong = tuple(index for index, record in enumerate(records) if record.ours)
    rows = [[record.part, *_cells(record)] for record in records]
    return Section("All points", [], [], [Table(["examples", *HEAD], rows, strong, folded=True)])


def _settings(job, prepared):
    config = ", ".join(f"{name} {value}" for name, value in vars_of(job.params).items())
    scales = "; ".join(", ".join(f"{value:.3g}" for value in layer) for layer in prepared.scales)
    return {
        "model": job.model,
        "data": job.data,
        **{f"examples, {name}": f"{len(each.dense)}: {each.task.describe()}" for name, each in prepared.parts.items()},
        "tokens at most": job.max_tokens,
        "inputs whose cycles are predicted": min(job.timed_inputs, len(prepared.task.inputs)),
        "array": config,
        "calibration": f"scales of at most {CALIBRATION_INPUTS} random inputs of the examples that are not judged by",
        "scales of Q, K, V by layer": scales,
        "settings of HDP calibrated": f"{job.settings}: {prepared.unseen}" if job.settings else "none",
    }
