"""Scales of encoders in integers, what each step costs, and hdp-hw accuracy."""

import json

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.driver import LayerSettings, save_layers
from hdp_hw.encoder.jobs import PLAIN_FACTOR
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import GAMMA_SHIFT_MIN, OPERAND_MAX
from hdp_hw.spec.params import ParameterError
from hdp_hw.study.accuracy.calibrate import open_workplace
from hdp_hw.study.encoder.accuracy import WHOLE, measure
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.equalise import equalised, fitted, quantised_weights, rounded
from hdp_hw.study.encoder.integer import IntegerEncoder
from hdp_hw.study.encoder.passed_on import passed_on
from hdp_hw.study.encoder.steps import STEPS, Stepped
from hdp_hw.study.encoder.units import affine, least_units, mult_and_shift, quantised, to_operands, to_words
from tb.lib.tiny_encoders import encoder_of, inputs_of, rows_of
from tb.lib.tiny_model import write_model, write_pairs

PARAMS = CONFIGS["tiny"]


# -- scales -----------------------------------------------------------------------------------------------------------
def test_equalised():
    """With alpha 1 every channel takes all of an operand; with 0 they share what their weights ask for."""
    rng = np.random.default_rng(3)
    ranges, weights = rng.uniform(0.1, 9, 20), rng.normal(size=(5, 20))
    np.testing.assert_allclose(equalised(ranges, weights, 1.0), ranges / OPERAND_MAX)
    largest = np.abs(weights).max(0)
    units = equalised(ranges, weights, 0.0)
    np.testing.assert_allclose(units * largest, (units * largest)[0])
    for alpha in (0.0, 0.5, 0.8, 1.0):
        units = equalised(ranges, weights, alpha)
        assert (ranges / units).max() == pytest.approx(OPERAND_MAX), "nothing saturates, and the range is used"
    assert np.isfinite(equalised(np.zeros(3), np.zeros((2, 3)), 0.8)).all()


def outliers(rng, n=200, k=64):
    """Rows with some large channels, and weights of a layer that reads them."""
    x = rng.normal(size=(n, k))
    x[:, ::9] *= 40
    return x, rng.normal(size=(12, k))


def test_fitted():
    """No worse than any alpha, far better than one unit for all channels, and never below what is asked for."""
    x, weight = outliers(np.random.default_rng(5))

    def error(units):
        integers, of_sums = quantised_weights(weight, units)
        return (((rounded(x, units) * (1 / units)) @ (integers * of_sums[:, None]).T - x @ weight.T) ** 2).mean()

    ranges = np.abs(x).max(0)
    units = fitted(ranges, weight, x)
    assert all(error(units) <= 1.1 * error(equalised(ranges, weight, alpha)) for alpha in (0.5, 0.7, 0.9))
    assert error(units) < 0.2 * error(np.full(64, ranges.max() / OPERAND_MAX))
    least = np.full(64, 1.5 * units.max())
    np.testing.assert_array_equal(fitted(ranges, weight, x, least), least)


def test_quantised_weights():
    """Channels that only hurt saturate: a large weight whose operand is always 0 leaves the others their bits."""
    rng = np.random.default_rng(6)
    weight, powers = rng.normal(size=(5, 40)), rng.uniform(500, 1000, 40)
    weight[:, 3], powers[3] = 9, 0
    plain, chosen = (quantised_weights(weight, np.ones(40), each) for each in (None, powers))
    errors = [(((of[0] * of[1][:, None] - weight) ** 2) @ powers).sum() for of in (plain, chosen)]
    assert errors[1] < 0.7 * errors[0] and np.abs(chosen[0]).max() == OPERAND_MAX
    assert quantised_weights(np.zeros((2, 3)), np.ones(3))[0].tolist() == [[0] * 3] * 2


def test_passed_on():
    """To the nearest where inputs tell nothing of each other; nearer to the layer, on rows not seen, where they do."""
    rng = np.random.default_rng(7)
    weights, mixed = rng.uniform(-130, 130, (12, 150)), rng.normal(size=(30, 150))
    nearest = np.clip(np.rint(weights), -OPERAND_MAX, OPERAND_MAX)
    np.testing.assert_array_equal(passed_on(weights, np.diag(rng.uniform(1, 9, 150))), nearest)
    np.testing.assert_array_equal(passed_on(weights, np.zeros((150, 150))), nearest)
    inside = 0.8 * weights
    seen, others = (rng.normal(size=(500, 30)) @ mixed + rng.normal(size=(500, 150)) for _ in range(2))
    integers = passed_on(inside, seen.T @ seen)
    assert integers.dtype == np.int8 and np.abs(integers).max() <= OPERAND_MAX
    errors = [((others @ (each - inside).T) ** 2).mean() for each in (integers, np.rint(inside))]
    assert errors[0] < 0.3 * errors[1]


def test_mult_and_shift():
    gains = 2.0 ** np.random.default_rng(4).uniform(-12, 3.99, 1000)
    mult, shift = mult_and_shift(gains)
    assert (mult >= 2**15).all() and mult.max() < 2**16 and shift.min() == 0 and shift.max() == 15
    np.testing.assert_allclose(mult * 2.0 ** (5 - 17 - shift), gains, rtol=2.0**-16)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_linear_job_is_near_the_layer(scale):
    """Words and operands of a layer with outliers, dead inputs and dead outputs, within what their units resolve."""
    rng = np.random.default_rng(5)
    x, weight = outliers(rng)
    x, bias = scale * x, rng.normal(size=12)
    weight[:, 3], weight[4] = 0, 0
    units = equalised(np.abs(x).max(0), weight, 0.8)
    weights = quantised(weight, bias, units)
    exact = x @ weight.T + bias
    largest = np.abs(exact).max(0)
    integers = np.rint(x / units).astype(np.int64)
    unit = 1.5 * largest.max() / 2**15
    noise = np.abs(to_words(weights, unit)(integers) * unit - exact)
    assert noise.max() < 0.02 * largest.max()
    results = largest / OPERAND_MAX
    noise = np.abs(to_operands(weights, results)(integers) * results - exact)
    assert (noise.max(0) < 0.02 * largest.max() + results).all()


def test_affine():
    """gamma and beta of channels whose units differ a thousandfold."""
    rng = np.random.default_rng(6)
    n = 48
    gamma, beta, units = rng.normal(size=n), rng.normal(size=n), 10.0 ** rng.uniform(-6, -3, n)
    units = np.maximum.reduce([units, np.abs(beta) / 30000, least_units(gamma)])
    made = affine(gamma, beta, units)
    normal = rng.integers(-3000, 3000, (20, n))
    exact = normal * (48 / 32 / 2048) * gamma + beta
    inside = np.abs(exact / units) < 32000
    assert inside.mean() > 0.2
    assert np.abs(made(normal) - exact / units)[inside].max() < 3000 * 2.0**-made.shift + 1.1


def test_a_channel_that_hardly_moves():
    """Its unit is no smaller than gamma's bits allow, so that no gamma saturates."""
    encoder = encoder_of("bert")
    for name in ("words", "positions", "types"):  # of all embeddings, channel 0 is the mean of the row
        rows = encoder.tensors[f"{name}.weight"]
        rows[:, 1:] -= rows[:, 1:].mean(1, keepdims=True)
        rows[:, 0] = 0
    encoder.tensors["norm.bias"][0] = 0
    built = calibrate(encoder, inputs_of(encoder))
    affine, units = built.model.entry.operands, built.operands["0.query"] / PLAIN_FACTOR
    gamma = affine.gamma / 2.0**affine.shift * units * 2048  # of rows of 32, a power of two
    assert affine.shift == GAMMA_SHIFT_MIN and affine.gamma[0] > 10 * np.abs(affine.gamma[1:]).max()
    np.testing.assert_allclose(gamma, encoder.tensors["norm.weight"], rtol=1e-3)


# -- steps, and the command -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "n_labels"), [("bert", 0), ("relu", 3), ("vit", 3), ("distilbert", 0)])
def test_steps(kind, n_labels):
    """Each alone is nearer to floats than all of them, which are nearly the model in integers."""
    encoder = encoder_of(kind, n_labels)
    inputs = inputs_of(encoder, 60)
    built, inputs = calibrate(encoder, inputs[:40]), inputs[40:]

    def outputs(of):
        return np.concatenate([rows_of(encoder, of(each)).reshape(-1, encoder.hidden_size) for each in inputs])

    exact, integer = outputs(encoder), outputs(IntegerEncoder(encoder, built.model, PARAMS))
    np.testing.assert_array_equal(outputs(Stepped(encoder, built, PARAMS, ())), exact)
    apart = {name: np.linalg.norm(outputs(Stepped(encoder, built, PARAMS, {name})) - exact) for name in STEPS}
    together = outputs(Stepped(encoder, built, PARAMS, set(STEPS)))
    whole = np.linalg.norm(integer - exact)
    assert all(0 < error < 1.2 * whole for error in apart.values())
    assert np.linalg.norm(together - integer) < 1.2 * whole
    assert sum(error**2 for error in apart.values()) == pytest.approx(whole**2, rel=0.6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("integer")
    write_model(folder / "model")
    write_pairs(folder / "pairs.tsv", 40)
    write_pairs(folder / "others.tsv", 30, seed=7)
    return folder


@pytest.fixture
def place(folder):
    return open_workplace(str(folder / "model"), str(folder / "pairs.tsv"), say=lambda line: None)


def test_separate(place):
    inputs, others = separate(place.task, 12)
    seen = {tuple(each) for each in inputs}
    assert 12 <= len(inputs) <= 24 and len(others.labels) == 28
    assert not seen & {tuple(each) for each in others.inputs}
    assert len(separate(place.task, 1000)[1].labels) == 20, "half of them are left"
    with pytest.raises(ParameterError, match="data = '2 examples' is not legal; legal: at least 4"):
        separate(place.task.subset(np.arange(2)), 1)


def test_measure(place):
    found = measure(place, None, 12, 1, lambda line: None)
    assert list(found.steps) == [*STEPS.values(), WHOLE]
    assert found.comparison.n == 28 and found.steps[WHOLE].shape == (40,)
    assert 0.97 < found.steps[WHOLE].min() < found.steps["weights of 8 bits"].mean() < 1
    assert abs(found.comparison.loss) < 2 * found.comparison.stderr < 0.2 and found.lengths == (6, 14)
    assert 12 <= found.n_calibrated <= 24


def test_command(folder, capsys):
    line = f"accuracy {folder}/model --data {folder}/pairs.tsv --calibration {folder}/others.tsv -o {folder}/out"
    assert main([*line.split(), "--sample", "20", "--threads", "1"]) == 0
    said = capsys.readouterr().out
    facts = json.loads((folder / "out" / "model-pairs.json").read_text())
    assert facts["n"] == 40 and facts["metric_name"] == "Spearman" and set(facts["cosines"]) == {*STEPS.values(), WHOLE}
    assert f"{WHOLE}  " in said and f"{facts['cosines'][WHOLE]['mean']:.4f}" in said
    assert f"{100 * facts['metric']:.2f} of {100 * facts['dense_metric']:.2f}" in said


def test_command_prunes(folder, capsys):
    layer = LayerSettings(4.0, 4.0, 4.0, "mass", 9.0, relative=True)
    save_layers(folder / "settings.json", {"0": layer, "1": layer})
    line = f"accuracy {folder}/model --data {folder}/pairs.tsv --settings {folder}/settings.json -o {folder}/pruned"
    assert main([*line.split(), "--threads", "1"]) == 0
    pruned = json.loads((folder / "pruned" / "model-pairs.json").read_text())
    assert main([*line.replace("--settings", "--calibration").replace("settings.json", "pairs.tsv").split()]) == 0
    dense = json.loads((folder / "pruned" / "model-pairs.json").read_text())
    assert pruned["cosines"][STEPS["attention"]]["mean"] < dense["cosines"][STEPS["attention"]]["mean"]
