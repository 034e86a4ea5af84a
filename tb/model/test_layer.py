"""Settings of layers and their file: hdp_hw/driver/layer.py."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from hdp_hw.driver.layer import RAW, Bounds, LayerSettings, load_layers, save_layers
from hdp_hw.golden.calibration import head_settings
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule

PARAMS = CONFIGS["tiny"]
SHAPE = 4, 2, 30, 40, 32  #: n_heads, n_kv_heads, n_q, n_k, head_dim


def settings_of(layer):
    return layer.head_settings(*SHAPE, PARAMS)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [(Rule.ROW_THRESHOLD, -0.3), (Rule.MARGIN, 1.5), (Rule.MASS, 0.02), (Rule.DENSE, None)],
)
def test_head_settings(rule, threshold):
    layer = LayerSettings(3.0, 4.0, 5.0, rule, threshold, compensate=True, tau_head=2.5, min_keep=0.1)
    expected = head_settings(30, 40, 32, 3.0, 4.0, PARAMS, rule, threshold, compensate=True, tau_head=2.5, min_keep=0.1)
    assert settings_of(layer) == (expected,) * 4
    assert settings_of(layer.dense())[0] == replace(expected, rule=Rule.DENSE, rho=0, margin=0, log_mass=0)


def test_values_of_heads():
    layer = LayerSettings(
        (1, 2, 3, 4), (5, 6), 1, "margin", [1, 2, 3, 4], tau_head=np.array([0, 1, 2, 3]), min_keep=0.5
    )
    assert layer.rule is Rule.MARGIN and layer.tau_head == (0, 1, 2, 3)
    for head, settings in enumerate(settings_of(layer)):
        scales = head + 1, 5 + head // 2
        assert settings == head_settings(
            30, 40, 32, *scales, PARAMS, Rule.MARGIN, head + 1, tau_head=head, min_keep=0.5
        )


def test_relative_mass():
    layer = LayerSettings(1, 1, 1, "mass", 2.0, relative=True)
    assert settings_of(layer)[0].log_mass == round(np.log2(40 / 2) * 16)
    assert settings_of(replace(layer, threshold=50.0))[0].log_mass == 0  # p is at most 1


def test_raw():
    layer = LayerSettings(1, 1, 1, "margin", raw={"margin": [1, 2, 3, 4], "mult": 200, "min_keep": 256})
    assert [(s.margin, s.mult, s.min_keep) for s in settings_of(layer)] == [(i, 200, 256) for i in (1, 2, 3, 4)]
    assert settings_of(LayerSettings(1, 1, 1, "mass", raw={"log_mass": 70}))[0].log_mass == 70
    of_head = set(vars(HeadSettings(1, 1, 16))) - {
        "n_q",
        "n_k",
        "head_dim",
        "rule",
        "causal",
        "compensate",
        "mean_output",
    }
    assert set(RAW) == of_head


def test_fit():
    q, k, v = np.full((2, 3, 4), -2.0), np.zeros((2, 3, 4)), np.ones((2, 3, 4))
    layer = LayerSettings.fit(q, k, v, rule="dense")
    assert (layer.q_absmax, layer.k_absmax, layer.v_absmax) == (2.0, 1.0, 1.0)
    assert LayerSettings.fit(*[np.full((1, 1, 4), -128, np.int8)] * 3).q_absmax == 128


# -- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"rule": "sparse"}, "parameter rule = 'sparse' is not legal; legal: row_threshold, margin, mass, dense"),
        ({"rule": 7}, "parameter rule = 7"),
        ({"q_absmax": 0.0}, "parameter q_absmax = 0.0 is not legal; legal: positive numbers"),
        ({"v_absmax": (1.0, float("nan"))}, "parameter v_absmax = (1.0, nan)"),
        ({"raw": {"rule": 1}}, "parameter raw.rule = 1 is not legal; legal: one of the fields rho, margin,"),
        ({"timeout_cycles": -1}, "parameter timeout_cycles = -1 is not legal; legal: 0 to 4294967295"),
        ({"rule": "mass"}, "parameter threshold = None is not legal; legal: a number for rule mass, or raw.log_mass"),
        ({"rule": "mass", "threshold": 0.0}, "parameter threshold = 0.0 is not legal; legal: above 0 for rule mass"),
        ({"rule": "margin", "threshold": -1.0}, "parameter margin = -"),
        ({"rule": "row_threshold", "threshold": 1.0}, "parameter rho = 256 is not legal; legal: -255 to 255"),
        ({"tau_head": (1.0, 2.0)}, "parameter tau_head = '2 values' is not legal; legal: one, or one for each of 4"),
        ({"k_absmax": (1.0,) * 4}, "parameter k_absmax = '4 values' is not legal; legal: one, or one for each of 2"),
        ({"raw": {"mult": (1, 2)}}, "parameter raw.mult = '2 values'"),
        ({"raw": {"mult": 256}}, "parameter mult = 256 is not legal; legal: 0 to 255"),
        ({"min_keep": 1.5}, "parameter min_keep = 384 is not legal; legal: 0 to 256"),
        ({"causal": True, "compensate": True}, "parameter causal = True is not legal; legal: False with compensate"),
    ],
)  # fmt: skip
def test_refused(fields, text):
    with pytest.raises(ParameterError) as error:
        settings_of(LayerSettings(**{"q_absmax": 1.0, "k_absmax": 1.0, "v_absmax": 1.0} | fields))
    assert text in str(error.value)


# -- the file ---------------------------------------------------------------------------------------------------------
LAYERS = {
    "0": LayerSettings(1.5, (1.0, 2.0), 0.25, "mass", 0.02, True, compensate=True, timeout_cycles=10**6, name="0"),
    "encoder.layer.1": LayerSettings(
        *(1e-5, 1, 1e30),
        rule="margin",
        raw={"margin": (1, 2)},
        tau_head=(0.5, 1.5),
        causal=True,
        bounds=Bounds((0.1, 0.3), ((0.0, 0.5), (0.25, 1.0)), (0, 1), 2),
        name="encoder.layer.1",
    ),
    "flat": LayerSettings(1.0, 1.0, 1.0, "row_threshold", (-0.5, 0.5), mean_output=True, min_keep=0.01, name="flat"),
}


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_file(tmp_path, kind):
    path = tmp_path / f"layers.{kind}"
    save_layers(path, LAYERS)
    assert load_layers(path) == LAYERS
    assert {name for layer in LAYERS.values() for name in vars(layer)} == {
        field.name for field in fields(LayerSettings)
    }


def test_file_holds_what_is_not_default(tmp_path):
    path = tmp_path / "layers.json"
    save_layers(path, {"a": LayerSettings(1.0, 2.0, 3.0, bounds=Bounds())})
    table = {"q_absmax": 1.0, "k_absmax": 2.0, "v_absmax": 3.0, "bounds": {}}
    assert json.loads(path.read_text()) == {"format": 1, "layers": {"a": table}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format = ", "a sound .toml file (Invalid value"),
        ("format = 2", "parameter format = 2 is not legal; legal: 1"),
        (
            'format = 1\n[layers.a]\nrul = "mass"',
            "parameter layers.a.rul = 'mass' is not legal; legal: one of q_absmax,",
        ),
        ("format = 1\n[layers.a]\nq_absmax = 1\nv_absmax = 1", "parameter layers.a.k_absmax = None"),
        (
            "format = 1\n[layers.a.bounds]\nshare = 1",
            "parameter layers.a.bounds.share = 1 is not legal; legal: one of kept_",
        ),
    ],
)
def test_bad_file(tmp_path, text, message):
    path = tmp_path / "layers.toml"
    path.write_text(text)
    with pytest.raises(ParameterError) as error:
        load_layers(path)
    assert message in str(error.value)


def test_file_name(tmp_path):
    for use in (lambda path: save_layers(path, {}), load_layers):
        (tmp_path / "layers.yaml").write_text("")
        with pytest.raises(ParameterError, match=r"legal: a name that ends in \.json or \.toml"):
            use(tmp_path / "layers.yaml")
