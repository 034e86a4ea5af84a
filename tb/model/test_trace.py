"""The masks of a layer, and their picture: hdp_hw/driver/trace.py."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from hdp_hw.driver import Emulator, HdpDriver, LayerSettings
from hdp_hw.driver.trace import draw_masks, layer_masks
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.pruning.block_rules import block_mask
from hdp_hw.golden.bits.pruning.geometry import valid_elements
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.failure import MissingPackage
from hdp_hw.spec.settings import Verdict

PARAMS = CONFIGS["tiny"]
RNG = np.random.default_rng(1)
Q, (K, V) = 3 * RNG.standard_normal((6, 33, 32)), RNG.standard_normal((2, 3, 41, 32))
LAYER = LayerSettings.fit(Q, K, V, rule="mass", threshold=0.05, tau_head=16.9)


def test_masks():
    """They are what the layer kept."""
    results = layer_masks(Q, K, LAYER, PARAMS)
    _, statistics = HdpDriver(Emulator(PARAMS)).attend(Q, K, V, LAYER)
    assert tuple(result.executed.sum() for result in results) == statistics.kept
    assert tuple(result.verdict for result in results) == statistics.verdicts
    assert set(statistics.verdicts) == {Verdict.PRUNED, Verdict.SPARSE}
    (settings, *_) = LAYER.head_settings(6, 3, 33, 41, 32, PARAMS)
    valid = valid_elements(settings, 2)
    q, k = quantize(Q[5], LAYER.q_absmax, PARAMS), quantize(K[2], LAYER.k_absmax, PARAMS)
    a = np.zeros(valid.shape, np.int64)
    a[:33, :41] = (q + 8 >> 4) @ (k + 8 >> 4).T
    np.testing.assert_array_equal(results[5].mask, block_mask(a, valid, settings, 2))


def test_masks_of_integers():
    integers = [quantize(x, absmax, PARAMS) for x, absmax in ((Q, LAYER.q_absmax), (K, LAYER.k_absmax))]
    for a, b in zip(layer_masks(*integers, LAYER, PARAMS), layer_masks(Q, K, LAYER, PARAMS)):
        np.testing.assert_array_equal(a.mask, b.mask)


def test_no_matplotlib(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackage, match=r"pictures take matplotlib: pip install 'hdp-hw\[plots\]'"):
        draw_masks([object()], tmp_path / "masks.png")  # before it is looked at


class Recorder:
    """Stands for matplotlib's Figure: every call is noted, and what the driver takes from it is there."""

    def __init__(self, **_):
        self.calls, self.axes = [], []

    def __getattr__(self, name):
        if name.startswith("__"):  # numpy asks what it can do
            raise AttributeError(name)
        return lambda *values, **more: self.calls.append((name, values, more))

    def subplots(self, n_rows, n_columns, squeeze):
        assert not squeeze
        self.axes = [Recorder() for _ in range(n_rows * n_columns)]
        return np.array(self.axes, object).reshape(n_rows, n_columns)


def test_what_is_drawn(monkeypatch):
    """Without matplotlib, whose extra the lock of the tests leaves out."""
    figures = []
    module = type(sys)("matplotlib.figure")
    module.Figure = lambda **more: figures.append(Recorder(**more)) or figures[-1]
    monkeypatch.setitem(sys.modules, "matplotlib", type(sys)("matplotlib"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", module)
    results = layer_masks(Q, K, LAYER, PARAMS)
    draw_masks(results, "masks.svg", title="layer 0")
    (figure,) = figures
    calls = dict((name, values) for name, values, _ in figure.calls)
    assert calls["savefig"] == ("masks.svg",) and calls["suptitle"] == ("layer 0",)
    assert len(figure.axes) == 8
    for result, axes in zip(results, figure.axes):
        drawn = {name: values for name, values, _ in axes.calls}
        np.testing.assert_array_equal(drawn["imshow"][0], result.executed)
        assert result.verdict.name.lower() in drawn["set_title"][0]
    assert [[name for name, _, _ in axes.calls] for axes in figure.axes[6:]] == [["set_axis_off"]] * 2


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="the plots extra is not installed")
@pytest.mark.parametrize("kind", ["png", "svg"])
def test_picture(tmp_path, kind):
    draw_masks(layer_masks(Q[:1], K[:1], LAYER, PARAMS), tmp_path / f"masks.{kind}")
    assert (tmp_path / f"masks.{kind}").stat().st_size > 2000
