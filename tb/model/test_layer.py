"""Settings of layers and their file: hdp_hw/driver/layer.py."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from hdp_hw.driver.layer import Bounds, LayerSettings, load_layers, save_layers
from hdp_hw.driver.layer_checks import RAW
from hdp_hw.golden.calibration import head_settings
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.failure import FileError
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule

PARAMS = CONFIGS["tiny"]
NAN, INF = float("nan"), float("inf")
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
        "linear",
        "words",
        "activation",
        "reuse",
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
        ({"rule": True}, "parameter rule = True"),
        ({"rule": ["mass"]}, "parameter rule = ('mass',)"),
        ({"q_absmax": 0.0}, "parameter q_absmax = 0.0 is not legal; legal: positive numbers, 1e-30 to 1e+30"),
        ({"q_absmax": "4"}, "parameter q_absmax = '4' is not legal; legal: positive numbers"),
        ({"q_absmax": None}, "parameter q_absmax = None is not legal; legal: positive numbers"),
        ({"q_absmax": True}, "parameter q_absmax = True is not legal; legal: positive numbers"),
        ({"k_absmax": 1e300}, "parameter k_absmax = 1e+300 is not legal; legal: positive numbers, 1e-30 to 1e+30"),
        ({"k_absmax": 10**400}, "parameter k_absmax = 1000"),
        ({"k_absmax": ()}, "parameter k_absmax = () is not legal"),
        ({"k_absmax": {}}, "parameter k_absmax = {} is not legal"),
        ({"v_absmax": (1.0, NAN)}, "parameter v_absmax = (1.0, nan) is not legal; legal: positive numbers"),
        ({"v_absmax": ((1.0,), 2.0)}, "parameter v_absmax = ((1.0,), 2.0) is not legal"),
        ({"raw": {"rule": 1}}, "parameter raw.rule = 1 is not legal; legal: one of the fields rho, margin,"),
        ({"raw": {"margin": 1.5}}, "parameter raw.margin = 1.5 is not legal; legal: a whole number, or one for each"),
        ({"raw": {"margin": (1, True)}}, "parameter raw.margin = (1, True) is not legal"),
        ({"raw": [1]}, "parameter raw = (1,) is not legal; legal: a table with some of rho, margin"),
        ({"timeout_cycles": -1}, "parameter timeout_cycles = -1 is not legal; legal: a whole number, 0 to 4294967295"),
        ({"timeout_cycles": 1.5}, "parameter timeout_cycles = 1.5 is not legal; legal: a whole number"),
        ({"timeout_cycles": True}, "parameter timeout_cycles = True is not legal; legal: a whole number"),
        ({"rule": "mass"}, "parameter threshold = None is not legal; legal: a number for rule mass, or raw.log_mass"),
        ({"rule": "mass", "threshold": 0.0}, "parameter threshold = 0.0 is not legal; legal: above 0 and at most 1"),
        ({"rule": "mass", "threshold": 2.0}, "parameter threshold = 2.0 is not legal; legal: above 0 and at most 1"),
        ({"rule": "mass", "threshold": NAN}, "parameter threshold = nan is not legal; legal: above 0 and at most 1"),
        ({"rule": "mass", "threshold": NAN, "relative": True}, "threshold = nan is not legal; legal: above 0 and at"),
        ({"rule": "mass", "threshold": {}}, "parameter threshold = {} is not legal"),
        ({"rule": "mass", "threshold": (0.5, "1")}, "parameter threshold = (0.5, '1') is not legal"),
        ({"rule": "margin", "threshold": -1.0}, "parameter threshold = -1.0 is not legal; legal: 0 to 1e+30 nats, for"),
        ({"rule": "margin", "threshold": INF}, "parameter threshold = inf is not legal; legal: 0 to 1e+30 nats, for"),
        ({"rule": "row_threshold", "threshold": 1.0}, "threshold = 1.0 is not legal; legal: -0.996 to 0.996, for rule"),
        ({"rule": "row_threshold", "threshold": NAN}, "threshold = nan is not legal; legal: -0.996 to 0.996, for rule"),
        ({"rule": "dense", "threshold": NAN}, "parameter threshold = nan is not legal; legal: -1e+30 to 1e+30"),
        ({"rule": "margin", "relative": True}, "parameter relative = True is not legal; legal: False for rule margin"),
        ({"causal": "no"}, "parameter causal = 'no' is not legal; legal: True or False"),
        ({"compensate": 1}, "parameter compensate = 1 is not legal; legal: True or False"),
        ({"tau_head": (1.0, 2.0)}, "parameter tau_head = '2 values' is not legal; legal: one, or one for each of 4"),
        ({"tau_head": INF}, "parameter tau_head = inf is not legal; legal: numbers from 0 to 1e+30"),
        ({"tau_head": -1}, "parameter tau_head = -1 is not legal; legal: numbers from 0 to 1e+30"),
        ({"tau_head": 4096.0}, "parameter tau_head = 4096.0 is not legal; legal: 0 to 4096 for digits of 4 bits"),
        ({"tau_head": 1e30}, "parameter tau_head = 1e+30 is not legal; legal: 0 to 4096 for digits of 4 bits"),
        ({"k_absmax": (1.0,) * 4}, "parameter k_absmax = '4 values' is not legal; legal: one, or one for each of 2"),
        ({"raw": {"mult": (1, 2)}}, "parameter raw.mult = '2 values'"),
        ({"raw": {"mult": 256}}, "parameter mult = 256 is not legal; legal: 0 to 255"),
        ({"min_keep": 1.5}, "parameter min_keep = 1.5 is not legal; legal: shares, 0 to 1"),
        ({"min_keep": NAN}, "parameter min_keep = nan is not legal; legal: shares, 0 to 1"),
        ({"causal": True, "compensate": True}, "parameter causal = True is not legal; legal: False with compensate"),
        ({"name": 1}, "parameter name = 1 is not legal; legal: a text"),
        ({"bounds": (0, 1)}, "parameter bounds = (0, 1) is not legal; legal: Bounds, or None"),
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
    ("fields", "text"),
    [
        ({"kept_share": (0.5, 0.2)}, "bounds.kept_share = (0.5, 0.2) is not legal; legal: lowest and highest share"),
        ({"kept_share": (NAN, 1)}, "bounds.kept_share = (nan, 1) is not legal"),
        ({"kept_share": 0.5}, "bounds.kept_share = 0.5 is not legal"),
        ({"head_shares": ((0, 1), (0, 2))}, "bounds.head_shares = ((0, 1), (0, 2)) is not legal"),
        ({"head_shares": 1}, "bounds.head_shares = 1 is not legal"),
        ({"pruned_heads": (0.0, 1.0)}, "bounds.pruned_heads = (0.0, 1.0) is not legal; legal: lowest and highest"),
        ({"fallbacks": -1}, "bounds.fallbacks = -1 is not legal; legal: a whole number from 0"),
    ],
)  # fmt: skip
def test_bounds_refused(fields, text):
    with pytest.raises(ParameterError) as error:
        Bounds(**fields)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (np.ones((2, 0, 4)), "parameter k = 'an array of shape (2, 0, 4)' is not legal; legal: an array with numbers"),
        ("many", "parameter k = 'an array of <U4' is not legal; legal: an array of numbers"),
        (np.ones((2, 3, 4), complex), "parameter k = 'an array of complex128' is not legal"),
        (None, "parameter k = 'an array of object' is not legal; legal: an array of numbers"),
        (np.full((2, 3, 4), np.nan), "parameter k = nan is not legal; legal: finite numbers"),
        (np.array([1.0, NAN]), "parameter k = nan is not legal; legal: finite numbers"),
        (np.array([1.0, 1e200]), "parameter k_absmax = 1e+200 is not legal"),
    ],
)  # fmt: skip
def test_fit_refused(tensor, text):
    with pytest.raises(ParameterError) as error:
        LayerSettings.fit(np.ones(3), tensor, np.ones(3))
    assert text in str(error.value)


def test_the_least_scales_and_the_largest_make_settings():
    for scale in (1e-30, 1e30):
        for rule, threshold in (("margin", 1e30), ("mass", 1e-300), ("row_threshold", -0.998)):
            assert len(settings_of(LayerSettings(scale, scale, scale, rule, threshold))) == 4
    assert LayerSettings.fit(*np.full((3, 5), 1e-40)).q_absmax == 1e-30


A = '{"q_absmax": 1, "k_absmax": 1, "v_absmax": 1'


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("toml", "format = ", " is not sound TOML: Invalid value"),
        ("toml", "format = 2", ": parameter format = 2 is not legal; legal: 1"),
        ("toml", "format = true\n[layers]", ": parameter format = True is not legal; legal: 1"),
        ("toml", "format = 1", ": parameter layers = None is not legal; legal: a table of layers by their names"),
        ("toml", "format = 1\nlayers = []", ": parameter layers = [] is not legal; legal: a table of layers"),
        ("toml", "format = 1\nlayer = 2\n[layers]", ": parameter layer = 2 is not legal; legal: one of format, about,"),
        ("toml", "format = 1\nabout = 2\n[layers]", ": parameter about = 2 is not legal; legal: a table"),
        ("toml", "format = 1\n[layers]\na = 3", ": parameter layers.a = 3 is not legal; legal: a table of settings"),
        (
            "toml",
            'format = 1\n[layers.a]\nrul = "mass"',
            ": parameter layers.a.rul = 'mass' is not legal; legal: one of q_absmax,",
        ),
        ("toml", "format = 1\n[layers.a]\nq_absmax = 1\nv_absmax = 1", ": parameter layers.a.k_absmax = None"),
        (
            "toml",
            "format = 1\n[layers.a.bounds]\nshare = 1",
            ": parameter layers.a.bounds.share = 1 is not legal; legal: one of kept_",
        ),
        ("toml", "format = 1\n[layers.a]\nbounds = 1", ": parameter layers.a.bounds = 1 is not legal; legal: a table"),
        ("toml", "format = 1\n[layers.a]\nq_absmax = nan\nk_absmax = 1\nv_absmax = 1", ": parameter layers.a.q_absmax"),
        ("toml", "# Gr\xf6\xdfe\nformat = 1", ", line 1: byte 0xf6 is not UTF-8; save the file as UTF-8"),
        ("json", "[]", " does not hold an object, {...}, at its top level"),
        ("json", "", " is not sound JSON: the file is empty"),
        ("json", '{"format": 1, "format": 1}', " is not sound JSON: the key 'format' appears twice in one object"),
        ("json", '{"format": 1, "layers": {"0": 1, "0": 2}}', " is not sound JSON: the key '0' appears twice in one"),
        (
            "json",
            f'{{"format": 1, "layers": {{"0": {A}, "rule": "mass", "threshold": NaN, "relative": true}}}}}}',
            ": parameter layers.0.threshold = nan is not legal; legal: above 0 and at most 1e+30, for rule mass, rel",
        ),
        (
            "json",
            f'{{"format": 1, "layers": {{"0": {A}, "rule": "mass", "threshold": {{}}}}}}}}',
            ": parameter layers.0.threshold = {} is not legal; legal: above 0 and at most 1, for rule mass",
        ),
        (
            "json",
            f'{{"format": 1, "layers": {{"0": {A}, "causal": "no"}}}}}}',
            ": parameter layers.0.causal = 'no' is not legal; legal: True or False",
        ),
        (
            "json",
            f'{{"format": 1, "layers": {{"0": {A}, "bounds": {{"kept_share": [0, 2]}}}}}}}}',
            ": parameter layers.0.bounds.kept_share = (0, 2) is not legal; legal: lowest and highest share, 0 to 1",
        ),
    ],
)  # fmt: skip
def test_bad_file(tmp_path, kind, text, message):
    path = tmp_path / f"layers.{kind}"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FileError) as error:
        load_layers(path)
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_byte_order_mark_and_names(tmp_path, kind):
    """What is written is ASCII or UTF-8, whatever the locale."""
    path = tmp_path / f"Größe mit Raum.{kind}"
    layer = LayerSettings(1.0, 2.0, 3.0, name="Schicht ö \U0001f600 \x7f")
    save_layers(path, {layer.name: layer}, {"model": "Modell ä", "limit": None})
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_layers(path) == {layer.name: layer}


def test_file_name(tmp_path):
    for use in (lambda path: save_layers(path, {}), load_layers):
        (tmp_path / "layers.yaml").write_text("")
        with pytest.raises(ParameterError, match=r"legal: a name that ends in \.json or \.toml"):
            use(tmp_path / "layers.yaml")


def test_bounds_of_no_run():
    with pytest.raises(ParameterError, match="legal: those of at least one run"):
        Bounds.of(iter(()))
