"""Whole models through the golden model: attention, choices, search, profile and their commands:
hdp_hw/study/accuracy/."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.commands.arguments import rules, share
from hdp_hw.driver import Emulator, HdpDriver, LayerSettings, load_layers
from hdp_hw.driver.layer import save_layers
from hdp_hw.driver.monitor import excesses
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Rule
from hdp_hw.study.accuracy import calibrate, choices, profile, search
from hdp_hw.study.accuracy.attention import Counter, HdpAttention
from hdp_hw.study.accuracy.cost import Cost, CostMeter, spread
from hdp_hw.study.accuracy.linear import ESTIMATE
from hdp_hw.study.accuracy.model_cost import ModelCost
from hdp_hw.study.accuracy.page import page
from hdp_hw.study.accuracy.parts import split
from hdp_hw.study.models import softmax_attention
from hdp_hw.study.tasks.fidelity import Fidelity
from tb.lib.tiny_model import write_model, write_pairs
from tb.model.test_report import PROBE, chromium  # noqa: F401 - a fixture

PARAMS = CONFIGS["tiny"]
LAYER = LayerSettings(
    (3.0, 4.0), 3.5, (2.0, 3.0), "mass", (0.5, 3.0), relative=True, compensate=True, tau_head=(0.0, 15.0), min_keep=0.2
)


def operands(batch=3, n=19, seed=1):
    q, k, v = np.random.default_rng(seed).normal(size=(3, batch, 2, n, 16)).astype(np.float32)
    q[0] *= 0.2
    return 2 * q, k, v


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tiny random model on pairs of random texts."""
    folder = tmp_path_factory.mktemp("tiny")
    write_model(folder / "model")
    pairs = write_pairs(folder / "pairs.tsv", 40)
    return calibrate.open_workplace(str(folder / "model"), pairs, say=lambda line: None)


@pytest.fixture(scope="module")
def parts(place):
    return split(place.task)


# -- attention --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layer", [LAYER, LAYER.dense()], ids=["mass", "dense"])
@pytest.mark.parametrize("elements", [1 << 18, 1])
def test_attention_is_what_the_driver_gives(layer, elements, monkeypatch):
    """Bits, counts, cycles and bytes, text by text."""
    monkeypatch.setattr("hdp_hw.study.accuracy.attention.ELEMENTS", elements)
    driver, counter, meter = HdpDriver(Emulator(PARAMS)), Counter(1), CostMeter(1, PARAMS)
    q, k, v = operands()
    both = [HdpAttention([layer], PARAMS, observe)(0, q, k, v) for observe in (counter, meter)]
    cycles, read, written = 0, 0, 0
    for index, counts in enumerate(counter.layers[0]):
        output, statistics = driver.attend(q[index], k[index], v[index], layer)
        np.testing.assert_array_equal(both[0][index], output)
        np.testing.assert_array_equal(both[1][index], output)
        for name in ("kept_share", "kept_shares", "pruned_heads", "fallbacks"):
            assert getattr(counts, name) == pytest.approx(getattr(statistics, name))
        waits = counts.visited * len(counts.kept) * PARAMS.predictor_wait(q.shape[-1]) * (layer.rule != Rule.DENSE)
        assert counts.array_cycles(PARAMS) == sum(statistics.busy.values()) + waits
        dense = driver.attend(q[index], k[index], v[index], layer.dense())[1]
        assert counts.dense_cycles(PARAMS) == sum(dense.busy.values())
        cycles, read, written = (
            sum(x)
            for x in zip((cycles, read, written), (statistics.cycles, statistics.bytes_read, statistics.bytes_written))
        )
    assert vars(meter.layers[0]) == {"cycles": cycles, "bytes_read": read, "bytes_written": written}
    assert len({counts.pruned_heads for counts in counter.layers[0]}) == (1 if layer.rule == Rule.DENSE else 2)


def test_attention_without_a_batch_and_in_float():
    q, k, v = operands()
    attention = HdpAttention([LAYER, None], PARAMS)
    np.testing.assert_array_equal(attention(0, q[1], k[1], v[1]), attention(0, q, k, v)[1])
    np.testing.assert_array_equal(attention(1, q, k, v), softmax_attention(1, q, k, v))


def test_spread_is_over_lengths():
    inputs = [[0] * n for n in (5, 1, 9, 3, 7)]
    assert [len(x) for x in spread(inputs, 3)] == [1, 5, 9] and len(spread(inputs, 9)) == 5
    assert [len(x) for x in spread(inputs, 1)] == [5] and [len(x) for x in spread(inputs, 2)] == [1, 9]


@pytest.mark.parametrize(("n", "legal"), [(4, (0, 0)), (12, (0.4, 0.7)), (40, (0.7, 0.9))])
def test_break_even(n, legal):
    """Cycles of that share of the blocks, and the fixed ones, are those of the dense rule; short inputs never pay.

    For long ones of d = 16 a prediction costs a quarter of a dense block: two of eight cycles.
    """
    meter = CostMeter(1, PARAMS)
    HdpAttention([LayerSettings(3, 3, 3, "mass", 2.0, relative=True)], PARAMS, meter)(0, *operands(n=n))
    of_all, of_computed = meter.block_cycles[0]
    share, dense = meter.break_even(0), meter.dense[0].cycles
    at_that_share = meter.layers[0].cycles - of_computed + share * of_all
    assert legal[0] <= share <= legal[1]
    assert share == 0 or at_that_share == pytest.approx(dense) or (share == 1 and at_that_share < dense)


# -- choices ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("price", [0.0, 1e-6, 1e-4, 1e-2, 1e9])
def test_choice_is_what_it_says(parts, price):
    """Errors and cycles of the settings that are chosen, measured with these."""
    sample = choices.Sample.record(parts.search.model, spread(parts.search.inputs, 5))[1]
    choice = choices.LayerChoices(sample, (Rule.MASS, Rule.ROW_THRESHOLD), PARAMS)
    settings, error, cycles = choice.choose(price)
    contexts, counter = [], Counter(1)
    for q, k, v in zip(sample.q, sample.k, sample.v):
        contexts.append(HdpAttention([settings], PARAMS, counter)(0, q, k, v))
    assert cycles == sum(counts.array_cycles(PARAMS) for counts in counter.layers[0])
    mean_of_pruned = 0.1 if settings.mean_output else 1e-5  # which is taken as exact
    assert sample.errors(contexts).sum() == pytest.approx(error, rel=mean_of_pruned, abs=1e-9)
    if price == 0:
        assert error == min(x[3].reshape(2, -1).min(1).sum() for x in choice.options)
    if price == 1e9:
        assert cycles == min(x[4].reshape(2, -1).min(1).sum() for x in choice.options)


def test_thresholds_of_a_head_that_is_pruned_are_those_without(parts):
    """Its inputs cannot tell them apart; on others it may not be pruned."""
    sample = choices.Sample.record(parts.search.model, parts.search.inputs[:4])[0]
    sample.weight[:, :16] = 0  # the first head does not matter
    choice = choices.LayerChoices(sample, (Rule.MASS,), PARAMS)
    settings = choice.choose(1e-3)[0]
    _, thresholds, tau, _, cycles = choice.options[1]
    as_set, without = cycles[0, :, tau[0].tolist().index(settings.tau_head[0])], cycles[0, :, 0]
    assert np.ptp(as_set) == 0 < np.ptp(without)
    assert settings.threshold[0] == thresholds[without.argmin()] > thresholds[0]


def test_errors_are_those_behind_the_output_projection():
    q, k, v = (list(x) for x in operands(2))
    weight = np.random.default_rng(2).normal(size=(32, 32))
    sample = choices.Sample(q, k, v, weight, slice(None))
    exact = [softmax_attention(0, *x) for x in zip(q, k, v)]
    contexts = [x.copy() for x in exact]
    contexts[1][1] += 0.5  # one head of one input
    joined = [np.concatenate(list(y - x), 1) @ weight.T for x, y in zip(exact, contexts)]
    errors = sample.errors(contexts)
    assert errors.shape == (2, 2) and errors[1, 1] == pytest.approx((joined[1] ** 2).sum())
    assert errors.sum() == pytest.approx(errors[1, 1])
    first = choices.Sample(q, k, v, weight, slice(0, 1)).errors(contexts)
    assert first[1, 1] == pytest.approx((joined[1][0] ** 2).sum())


def test_scales_are_percentiles_of_each_head():
    q, k, v = (list(x) for x in operands(2))
    k[0][0, 0, 0] = 30.0  # an outlier in the first head
    scales = choices.fit_scales(choices.Sample(q, k, v, np.eye(32), slice(None)), PARAMS)
    assert set(scales) == {"q_absmax", "k_absmax", "v_absmax"} and all(len(x) == 2 for x in scales.values())
    assert scales["k_absmax"][0] < 15
    assert 2 < scales["k_absmax"][1] <= np.abs(np.concatenate(k, 1)[1]).max()


def test_a_price_for_a_share(parts):
    sample = choices.Sample.record(parts.search.model, parts.search.inputs[:4])[0]
    choice = choices.LayerChoices(sample, (Rule.MASS,), PARAMS)
    of_share = {share: choice.choose(search.price_for([choice], [1.0], share)) for share in (1.0, 0.6, 0.4)}
    assert all(cycles <= share * choice.dense_cycles for share, (_, _, cycles) in of_share.items())
    assert of_share[1.0][1] <= of_share[0.6][1] <= of_share[0.4][1]


# -- search -----------------------------------------------------------------------------------------------------------
def test_search_stays_within_the_allowed_loss(parts):
    """Fidelity, which falls as pruning rises."""
    task = parts.search
    n = len(task.inputs)
    texts = Fidelity("texts", task.model, task.inputs, np.zeros(n), np.arange(n)[:, None], task.dense)
    path = list(search.path(texts, PARAMS, (Rule.MASS,), 4, 5, lambda line: None))
    found = {
        max_loss: search.accept((search.measure(texts, x, PARAMS) for x in path), max_loss, 5, lambda line: None)
        for max_loss in (-1.0, 0.005, 0.05)
    }
    assert len(path) == 6
    assert {layer.rule for layer in found[-1.0].layers} == {Rule.DENSE} and found[-1.0].speedup == 1
    for max_loss in (0.005, 0.05):
        assert found[max_loss].comparison.loss < found[max_loss].bound <= max_loss
        assert search.measure(texts, found[max_loss].layers, PARAMS).comparison == found[max_loss].comparison
    assert 1 <= found[0.005].speedup < found[0.05].speedup


def test_weights_of_layers(parts):
    """What a layer's error does to the outputs."""
    model, inputs = parts.search.model, parts.search.inputs[:3]
    samples = choices.Sample.record(model, inputs)
    options = [choices.LayerChoices(sample, (Rule.MASS,), PARAMS) for sample in samples]
    weights = search.layer_weights(model, inputs, options, PARAMS)
    settings, error, _ = options[1].choose(search.price_for(options[1:], [1.0], search.SHARE))
    outputs = model.run(inputs, HdpAttention([None, settings], PARAMS))
    assert weights[1] * error == pytest.approx(((outputs - model.run(inputs)) ** 2).sum())


# -- commands ---------------------------------------------------------------------------------------------------------
def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_calibrate_writes_settings_that_the_driver_takes(tmp_path, capsys):
    model, pairs = write_model(tmp_path / "model"), write_pairs(tmp_path / "pairs.tsv", 40)
    output = tmp_path / "settings.toml"
    options = ["--max-loss", "20%", "--sample", 4, "--steps", 3, "--threads", 1]
    assert run("calibrate", model, "--data", pairs, *options, "-o", output) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    about = (
        "pairs: 40 pairs of texts with a score (0.02 to 0.99); texts in column 1 and column 2, label in column 3; tabs"
    )
    assert lines[0] == lines[-1] and lines[0].startswith(about)
    assert "With 95% confidence, the loss over examples like these 40 is at most the allowed 20 points" in printed.out
    assert "not measured; 40 examples are too few to hold any back (90 are enough)" in printed.out
    assert "examples: 13 to search with, 27 to validate, 0 held back" in printed.err and "step 1 of 3" in printed.err
    layers = load_layers(output)
    assert list(layers) == ["0", "1"] and all(layer.bounds for layer in layers.values())
    task = split(calibrate.open_workplace(str(model), pairs, say=lambda line: None).task).validation
    driver = HdpDriver(Emulator(PARAMS))
    for layer, sample in zip(layers.values(), choices.Sample.record(task.model, task.inputs)):
        for q, k, v in zip(sample.q, sample.k, sample.v):
            statistics = driver.attend(q, k, v, layer)[1]
            assert layer.name == "1" or excesses(statistics, layer.bounds) == []  # layer 1 sees what layer 0 pruned

    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    folder = tmp_path / "profile"
    options = ["--settings", output, "--max-loss", "20%", "-o", folder]
    assert run("profile", model, "--data", pairs, *options, "--timed", 2) == 0
    facts = json.loads((folder / "model-pairs.json").read_text())
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == printed.splitlines()[-1] == lines[0] == facts["examples"]
    shown = html.unescape((folder / "model-pairs.html").read_text())
    assert all(line in printed and line in shown for line in (facts["verdict"], *facts["remarks"]))
    assert facts["n"] == 40 and "saw these 40 examples: on others, more may be lost" in facts["said"][0]
    assert np.shape(facts["kept"]) == np.shape(facts["pruned"]) == (2, 2)
    assert len(facts["lengths"]) == 2
    assert facts["pays"] == (facts["model"]["cycles_saving"] >= 0.01 and facts["loss"] <= 0.2)
    assert sorted(map(int, facts["models_by_length"])) == sorted(set(facts["lengths"]))
    assert run("profile", model, "--data", pairs, *options, "--timed", 0) == 2
    assert "--timed: '0' is not legal; legal: an integer, 1 or more" in capsys.readouterr().err


def test_profile_counts(parts):
    layers = [LayerSettings(3, 3, 3, "mass", 1.0, relative=True, tau_head=(1e3, 0)), LayerSettings(3, 3, 3)]
    result = profile.profile(parts.validation, search.measure(parts.validation, layers, PARAMS), 0.5)
    assert result.pruned.tolist() == [[1, 0], [0, 0]]
    assert result.kept[0, 0] == 0 < result.kept[0, 1] < 1 and result.kept[1].tolist() == [1, 1]
    assert result.break_even[1] == pytest.approx(1, abs=0.02) and result.costs[1] == result.dense[1]
    own, dense = (sum(x.cycles for x in costs) for costs in (result.costs, result.dense))
    assert result.model.attention_saving == pytest.approx(1 - own / dense)
    assert abs(result.model.cycles_saving) < abs(result.model.attention_saving) / 2
    assert sum(each.linear.cycles for each in result.models.values()) == result.model.linear.cycles > 0


@pytest.mark.parametrize(
    ("cycles", "loss", "said"),
    [
        (500, 0.0, "Pruning pays: 5.0% fewer clock cycles than dense (1.05x) for the model"),
        (500, 0.02, "Pruning does not pay: 5.0% fewer"),
        (950, 0.0, "Pruning does not pay: 0.5% fewer"),
        (1100, 0.0, "Pruning does not pay: 1.0% more clock cycles than dense (0.99x) for the model"),
    ],
)
def test_pays_is_said_of_the_model(parts, cycles, loss, said):
    """Attention of 10% of its cycles, which may save half and still not enough; its own number stands beside it."""
    layers = [LayerSettings(3, 3, 3)] * 2
    trial = search.measure(parts.validation, layers, PARAMS)
    trial = replace(trial, comparison=replace(trial.comparison, loss=loss))
    model = ModelCost(Cost(cycles, 1), Cost(1000, 1), Cost(9000, 1), 1, 19)
    result = replace(profile.profile(parts.validation, trial, 0.01, 1), models={9: model})
    assert result.pays == said.startswith("Pruning pays") and result.verdict().startswith(said)
    attention = f"{abs(1 - cycles / 1000):.1%} {'fewer' if cycles < 1000 else 'more'} clock cycles than dense"
    about = "Attention alone, 10.0% of the model's dense cycles and 5.0% of its multiplications, takes"
    assert result.verdict().endswith(f"{about} {attention} ({1000 / cycles:.2f}x).")
    assert ("where 1% is the least that pays" in result.verdict()) == (cycles > 900)
    assert result.remarks()[0] == ESTIMATE and "reads one position" not in result.text()
    assert all(line in result.text() for line in (result.verdict(), *result.remarks()))


def test_profile_of_a_classifier_says_what_nobody_reads(tmp_path):
    model, data = write_model(tmp_path / "model", n_labels=2), tmp_path / "texts.tsv"
    data.write_text("".join(f"{index} {index + 1} {index + 2}\t{index % 2}\n" for index in range(9)))
    task = calibrate.open_workplace(str(model), str(data), say=lambda line: None).task
    layers = [LayerSettings(3, 3, 3, "mass", 1.0, relative=True)] * 2
    result = profile.profile(task, search.measure(task, layers, PARAMS), 0.5)
    assert list(result.first_only) == list(result.models) == [3]
    assert result.first_only[3].linear.cycles < result.models[3].linear.cycles
    few = result.first_only[3]
    said = f"attention is {few.cycles_share:.1%} of the dense cycles, and pruning saves {few.cycles_saving:.1%}."
    whole = f"model reads one position of its last layer. Where the others are not computed there, {said}"
    assert whole in result.remarks() and whole in result.text()
    assert result.facts()["first_row_only_by_length"][3]["linear"]["cycles"] == few.linear.cycles


def test_inputs_are_cut_to_lengths(tmp_path, capsys):
    """Each judged by itself under the same settings; the cycles are of inputs that have the length."""
    model, pairs = write_model(tmp_path / "model"), write_pairs(tmp_path / "pairs.tsv", 40)
    output, folder = tmp_path / "settings.json", tmp_path / "profile"
    layers = [LayerSettings(3, 3, 3, "mass", 2.0, relative=True)] * 2
    save_layers(output, {str(index): layer for index, layer in enumerate(layers)})
    options = ["profile", model, "--data", pairs, "--settings", output, "--timed", 2, "-o", folder]
    assert run(*options, "--lengths", "12,14,8") == 0
    printed = capsys.readouterr().out
    facts = json.loads((folder / "model-pairs.json").read_text())
    assert list(facts["cut_to_length"]) == ["8", "12", "14"]
    assert facts["cut_to_length"]["14"]["loss"] == facts["loss"]  # nothing is cut
    for n, each in facts["cut_to_length"].items():
        assert each["lengths"] == [int(n)] * 2 and list(each["models_by_length"]) == [n] and each["n"] == 40
        task = calibrate.open_workplace(str(model), str(pairs), max_tokens=int(n), say=lambda line: None).task
        trial = search.measure(task, layers, PARAMS)
        assert each["loss"] == pytest.approx(trial.comparison.loss)
        alone = profile.profile(task, trial, 0.01, 2, length=int(n))
        (row,) = [line.split() for line in printed.splitlines() if line.split()[:2] == [n, "2"] and "+-" in line]
        assert row[2:7] == alone.model.cells and each["model"] == json.loads(json.dumps(alone.model.facts()))
    assert run(*options, "--lengths", "8,15") == 2
    assert "parameter lengths = 15 is not legal; legal: 1 to 14, the positions of the" in capsys.readouterr().err
    with pytest.raises(ParameterError, match="legal: a length of inputs; the longest has 14 positions"):
        profile.of_length(calibrate.open_workplace(str(model), str(pairs), say=lambda line: None).task, 2)


def test_chromium_shows_the_page(place, parts, chromium, tmp_path):  # noqa: F811
    """The verdict, a row a layer, a heat map of the heads and masks over the tokens."""
    pytest.importorskip("matplotlib", reason="the `plots` extra is not installed")
    layers = [LayerSettings(3, 3, 3, "mass", threshold, relative=True) for threshold in (0.5, 3.0)]
    result = profile.profile(parts.validation, search.measure(parts.validation, layers, PARAMS), 0.5)
    file = tmp_path / "profile.html"
    file.write_text(page(result, place, "hdp-hw profile tiny").replace("</body>", PROBE + "</body>"))
    seen = json.loads(html.unescape(re.search("<title>(.*?)</title>", chromium("--dump-dom", file.as_uri()), re.S)[1]))
    assert len(seen["svg"]) == 2 and all(width > 200 and height > 100 for width, height in seen["svg"])
    visible = [text.split() for text, width, height in seen["rows"] if width and height]
    for length, model in result.models.items():
        assert [str(length), str(result.lengths.count(length)), *model.cells] in visible
    for index in (0, 1):
        assert [str(index), "mass", f"{result.kept[index].mean():.1%}", "0.0%", f"{result.costs[index].cycles:,}"] in [
            row[:5] for row in visible
        ]
    assert ["core", "tiny"] in visible and seen["overflow"] <= 0
    assert " ".join(seen["lead"].split()).startswith(result.verdict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-model"], "model 'no-such-model' is neither a directory nor an installed package"),
        (["MODEL", "--data", "nowhere.tsv"], "nowhere.tsv"),
        (["MODEL", "--max-loss", "2"], "--max-loss: '2' is not legal; legal: 0% to 100% of the metric"),
        (["MODEL", "--confidence", "95"], "--confidence: '95' is not legal; legal: 50% up to below 100%"),
        (["MODEL", "--confidence", "1"], "--confidence: '1' is not legal; legal: 50% up to below 100%"),
        (["MODEL", "--seed", "-1"], "--seed: '-1' is not legal; legal: an integer, 0 or more"),
        (["MODEL", "--rules", "mass,best"], "--rules: 'best' is not legal; legal: mass, margin,"),
        (["MODEL", "--examples", "3"], "parameter data = '3 examples' is not legal; legal: at least 4"),
        (["MODEL", "huge"], "parameter CONFIG = 'huge' is not legal"),
    ],
)  # fmt: skip
def test_bad_arguments(tmp_path, capsys, arguments, message):
    model = write_model(tmp_path / "model")
    pairs = write_pairs(tmp_path / "pairs.tsv", 8)
    arguments = [model if text == "MODEL" else text for text in arguments]
    data = [] if "--data" in arguments else ["--data", pairs]
    assert run("calibrate", *arguments, *data, "--threads", 1, "-o", tmp_path / "x.json") in (1, 2)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("1%", 0.01), ("0.5%", 0.005), ("0.02", 0.02), ("0", 0.0)])
def test_shares(text, value):
    assert share(text) == pytest.approx(value)


def test_rules():
    assert rules("margin,mass") == (Rule.MARGIN, Rule.MASS)


def test_settings_of_too_few_layers(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"format": 1, "layers": {"0": {"q_absmax": 1, "k_absmax": 1, "v_absmax": 1}}}')
    with pytest.raises(ParameterError, match="legal: a file with the layers 1, 2 too"):
        calibrate.layers_of(path, 3)


def test_core_is_the_first_that_takes_the_heads(tmp_path):
    model, pairs = write_model(tmp_path / "model"), write_pairs(tmp_path / "pairs.tsv", 8)
    assert calibrate.open_workplace(str(model), pairs, say=lambda line: None).label == "tiny"
    label = calibrate.open_workplace(str(model), pairs, "edge", [("tile", "2")], say=lambda line: None).label
    assert label == "edge-tile2"
