"""What is not legal is refused by name and value, and the message says what would be."""

import pickle
import sys
from dataclasses import replace

import pytest

from hdp_hw.__main__ import main
from hdp_hw.spec.configs import CONFIGS, NAMES, PURPOSE, load_config
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule

TILES, LANES = "2, 4, 8", "4, 8, 16, 32, 64"


def refuses(error, name, value, legal):
    assert (error.value.name, error.value.value) == (name, value)
    assert str(error.value) == f"parameter {name} = {value!r} is not legal; legal: {legal}"


def test_a_refusal_survives_another_process():
    """A worker of a sweep sends it as it is."""
    assert str(pickle.loads(pickle.dumps(ParameterError("tile", 3, TILES)))) == str(ParameterError("tile", 3, TILES))


@pytest.mark.parametrize(
    ("values", "name", "legal"),
    [
        ({"tile": 3}, "tile", TILES),
        ({"tile": 16}, "tile", TILES),
        ({"tile": 0}, "tile", TILES),
        ({"tile": -2}, "tile", TILES),
        ({"lanes": 2}, "lanes", LANES),
        ({"lanes": 24}, "lanes", LANES),
        ({"lanes": 128}, "lanes", LANES),
        ({"digit_width": 6}, "digit_width", "4, 8"),
        ({"digit_width": 16}, "digit_width", "4, 8"),
        ({"max_head_dim": 8}, "max_head_dim", "16 to 128, a multiple of lanes / 4 = 4"),
        ({"max_head_dim": 132}, "max_head_dim", "16 to 128, a multiple of lanes / 4 = 4"),
        ({"max_head_dim": 24, "lanes": 64}, "max_head_dim", "16 to 128, a multiple of lanes / 4 = 16"),
        ({"max_seq_len": 8}, "max_seq_len", "16 to 4096, a multiple of tile = 2"),
        ({"max_seq_len": 8192}, "max_seq_len", "16 to 4096, a multiple of tile = 2"),
        ({"max_seq_len": 100, "tile": 8}, "max_seq_len", "16 to 4096, a multiple of tile = 8"),
        ({"multiplier": 17}, "multiplier", "0, 18"),
        ({"multiplier": 18, "digit_width": 8}, "multiplier", "0 with digit_width = 8; 18 needs digit_width = 4"),
        ({"tile": 2.0}, "tile", "an integer, not float"),
        ({"lanes": "16"}, "lanes", "an integer, not str"),
        ({"digit_width": True}, "digit_width", "an integer, not bool"),
        ({"max_seq_len": None}, "max_seq_len", "an integer, not NoneType"),
    ],
)
def test_bad_parameter(values, name, legal):
    with pytest.raises(ParameterError) as error:
        HdpParams(**values)
    refuses(error, name, values[name], legal)


@pytest.mark.parametrize(
    ("values", "name", "legal"),
    [
        ({"n_q": 0}, "n_q", "1 to 128"),
        ({"n_k": 129}, "n_k", "1 to 128"),
        ({"head_dim": 33}, "head_dim", "1 to 32"),
        ({"head_dim": 30}, "head_dim", "a multiple of lanes / 4 = 4"),
        ({"rho": 256}, "rho", "-255 to 255"),
        ({"min_keep": 257}, "min_keep", "0 to 256"),
        ({"causal": True, "compensate": True}, "causal", "False with compensate or mean_output"),
    ],
)
def test_bad_settings(values, name, legal):
    settings = replace(HeadSettings(n_q=16, n_k=16, head_dim=32, rule=Rule.MASS), **values)
    with pytest.raises(ParameterError) as error:
        settings.validate(CONFIGS["tiny"])
    refuses(error, name, values[name], legal)


def test_toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("tile = 4\nlanes = 32\n")
    assert load_config(str(path)) == ("mine", HdpParams(tile=4, lanes=32))


def test_overrides():
    assert load_config("edge", [("TILE", "2"), ("lanes", "64")]) == (
        "edge-tile2-lanes64",
        replace(CONFIGS["edge"], tile=2, lanes=64),
    )


@pytest.mark.parametrize(
    ("text", "name", "value", "legal"),
    [
        ("tile = 3", "tile", 3, TILES),
        ('tile = "4"', "tile", "4", "an integer, not str"),
        ("tiles = 4", "tiles", 4, "one of the parameters tile, "),
        ("tile = true", "tile", True, "an integer, not bool"),
        ("tile = 2\nTILE = 4", "tile", 4, "one value; it has two (in "),
        ("[core]\ntile = 4", "core", {"tile": 4}, "one of the parameters "),
        ("tile 4", "CONFIG", None, "a readable TOML file ("),
    ],
)
def test_bad_toml(tmp_path, text, name, value, legal):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ParameterError) as error:
        load_config(str(path))
    assert error.value.name == name
    assert error.value.value == (str(path) if value is None else value)
    assert error.value.legal.startswith(legal)


def test_toml_says_where(tmp_path):
    """The file, unless the value comes from the line; and the name that may be meant."""
    path = tmp_path / "bad.toml"
    path.write_text("tile = 3\n")
    with pytest.raises(ParameterError, match=rf"{TILES} \(in {path}\)$"):
        load_config(str(path))
    with pytest.raises(ParameterError, match=rf"tile = 5 is not legal; legal: {TILES}$"):
        load_config(str(path), [("tile", "5")])
    path.write_text("tiles = 4\n")
    with pytest.raises(ParameterError, match=rf"address_width, perhaps tile \(in {path}\)$"):
        load_config(str(path))


@pytest.mark.parametrize(
    "data", ["\ufefftile = 4\n".encode(), b"TILE = 4\n", "# Größe\r\nTile = 4\r\n".encode()]
)  # fmt: skip
def test_toml_as_editors_write_it(tmp_path, data):
    """With a byte order mark, in upper case as on the line, in UTF-8."""
    (tmp_path / "mine.toml").write_bytes(data)
    assert load_config(str(tmp_path / "mine.toml")) == ("mine", HdpParams(tile=4))


def test_toml_in_latin1(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes("tile = 4\n# Größe\n".encode("latin-1"))
    with pytest.raises(ParameterError, match=rf"{path}, line 2: byte 0xf6 is not UTF-8; save the file as UTF-8"):
        load_config(str(path))


@pytest.mark.parametrize(
    ("stem", "label"),
    [
        ("my-core_1.5", "my-core_1.5"),
        ("Größe", "Groe-946e9015"),
        ("my: core", "my_core-79d5ae67"),
        ("Kern 4", "Kern_4-b2c0fd1b"),
        ("核", "core-3993f257"),
    ],
)
def test_labels_are_plain(tmp_path, stem, label):
    """FuseSoC, Vivado and make take them; different files have different ones."""
    (tmp_path / f"{stem}.toml").write_text("tile = 2\n")
    assert load_config(str(tmp_path / f"{stem}.toml"))[0] == label


def test_overrides_that_contradict():
    assert load_config("tiny", [("TILE", "4"), ("tile", "4")])[0] == "tiny-tile4"
    with pytest.raises(ParameterError, match=r"tile = '2' is not legal; legal: one value; 4 is given too"):
        load_config("tiny", [("TILE", "4"), ("tile", "2")])


def test_missing_toml(tmp_path):
    with pytest.raises(ParameterError, match="a readable TOML file"):
        load_config(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["huge"],
            "parameter CONFIG = 'huge' is not legal; legal: tiny, edge, large, server, paper or a path",
        ),
        (["tiny", "TILE=3"], f"parameter tile = 3 is not legal; legal: {TILES}"),
        (["tiny", "TILE=four"], "parameter tile = 'four' is not legal; legal: an integer"),
        (
            ["tiny", "TILES=4"],
            f"parameter TILES = '4' is not legal; legal: one of the parameters {', '.join(NAMES)}, perhaps tile",
        ),
        (["tiny", "SIZE=4"], "parameter SIZE = '4' is not legal; legal: one of the parameters "),
        (["tiny", "TILE"], "parameter TILE = '' is not legal; legal: NAME=VALUE"),
    ],
)
def test_command_line_refuses(capsys, words, message):
    assert main(["generate", *words]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"hdp-hw: {message}")
    assert output.err.count("\n") == 1
    assert not output.out


def test_lines_show_at_once(capsys):
    """Also in a pipe or a file, where progress would stay unseen."""
    assert not sys.stdout.line_buffering
    assert main(["configs"]) == 0 and sys.stdout.line_buffering


def test_configs_explains_everything(capsys):
    assert main(["configs"]) == 0
    text = capsys.readouterr().out
    for word in [
        *CONFIGS,
        *PURPOSE.values(),
        *vars(CONFIGS["tiny"]),
        "multipliers",
        "Digit products a cycle for each score",
    ]:
        assert word in text
