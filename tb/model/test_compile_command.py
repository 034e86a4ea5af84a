"""hdp-hw compile, and hdp-hw run of what it writes, from the command line."""

import ctypes
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("safetensors")

from hdp_hw.__main__ import main
from hdp_hw.spec.configs import vars_of
from hdp_hw.study.accuracy.calibrate import open_workplace
from hdp_hw.study.encoder.calibrate import calibrate, separate
from hdp_hw.study.encoder.compiled import lengths
from hdp_hw.study.encoder.folder import read_folder
from hdp_hw.study.encoder.integer import IntegerEncoder
from tb.lib.compiled_models import PARAMS
from tb.lib.docs import DOCS
from tb.lib.tiny_model import CONFIG, write_model, write_pairs
from tb.model.test_driver_guide import blocks


def said(capsys, *words):
    code = main([str(word) for word in words])
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    return code, output.out, output.err


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A folder of vit-digits, and what the command said."""
    folder = tmp_path_factory.mktemp("compiled")
    words = [".venv/bin/python", "-m", "hdp_hw", "compile", "vit-digits", "tiny", "--examples", "40", "-o", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return folder, done.stdout


@pytest.fixture
def copied(digits, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(digits[0], tmp_path / "copy")


# -- compile ----------------------------------------------------------------------------------------------------------
def test_what_it_writes_and_says(digits):
    """The table's numbers are those of the files."""
    folder, text = digits
    about = json.loads((folder / "model.json").read_text())
    assert about["parameters"] == vars_of(PARAMS) and about["chains"][0]["tokens"] == 65
    needed = about["image"]["memory_bytes"]
    assert sum(about["bytes"].values()) == needed and re.search(rf"memory needed +{needed}\n", text)
    for kind, n in about["bytes"].items():
        assert re.search(rf"{kind} +{n}\n", text)
    assert (folder / "image.bin").stat().st_size == about["image"]["image_bytes"]
    for kind, cycles in about["predicted_cycles"].items():
        assert re.search(rf"{kind} +\d+ +{cycles} ", text)
    total = sum(about["predicted_cycles"].values())
    assert f"At 100 MHz that is {total / 1e5:.1f} ms" in text and "65 tokens (" in text


def test_header_for_c(digits, tmp_path):
    """It compiles, and says what the image says."""
    folder, _ = digits
    names = ("IMAGE_BYTES", "MEMORY_BYTES", "FEATURES", "MAX_TOKENS", "RESULTS")
    code = '#include "model.h"\nunsigned values[] = {' + ", ".join(f"MODEL_{name}" for name in names) + "};\n"
    code += "double units[] = {MODEL_EMBEDDING_UNIT, MODEL_HIDDEN_UNIT};\n"
    (tmp_path / "x.c").write_text(code)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC", f"-I{folder}"]
    subprocess.run(["cc", *flags, "x.c", "-o", "x.so"], cwd=tmp_path, check=True)
    library, about = ctypes.CDLL(str(tmp_path / "x.so")), read_folder(folder).about
    values = (ctypes.c_uint * len(names)).in_dll(library, "values")
    assert list(values) == [about["image"][name.lower()] for name in names]
    assert list((ctypes.c_double * 2).in_dll(library, "units")) == [*about["units"].values()]


def test_lengths_of_chains():
    assert lengths(128, images=False) == [128, 64, 32, 16]
    assert lengths(60, images=False) == [60, 30, 15]
    assert lengths(9, images=False) == [9] and lengths(145, images=True) == [145]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["vit-digits", "tiny", "--tokens", "65,0"], "--tokens: '0' is not legal"),
        (
            ["vit-digits", "tiny", "--tokens", "129"],
            "tokens = [129] is not legal; legal: numbers from 1 to max_seq_len",
        ),
        (["vit-digits", "paper"], "parameter encoder = 1 is not legal"),
        (["vit-digits", "tiny", "--data", "none.npz"], "none.npz does not exist"),
        (["no-such-model"], "'no-such-model' is neither"),
    ],
)
def test_what_is_refused(words, message, capsys, tmp_path):
    code, _, error = said(capsys, "compile", *words, "--examples", "24", "-o", tmp_path / "new")
    assert code != 0 and message in error and not (tmp_path / "new").exists()


def test_what_would_take_it(capsys, tmp_path):
    """A model that is too wide for a core: the message names configurations that are not too small."""
    model = write_model(tmp_path / "wide", CONFIG | {"hidden_size": 288, "num_attention_heads": 9})
    pairs = write_pairs(tmp_path / "pairs.tsv")
    code, _, error = said(capsys, "compile", model, "tiny", "--data", pairs, "-o", tmp_path / "new")
    assert code == 2 and "inputs of a linear layer = 288 is not legal; legal: 1 to 256 on this core" in error
    assert "wide fits edge, large" in error


# -- run --------------------------------------------------------------------------------------------------------------
def test_outputs_are_those_of_the_integer_model(digits, capsys, tmp_path):
    """Calibrated anew on the same images, and computed without an image in memory."""
    words = ["run", digits[0], "--examples", "40", "--inferences", "3", "--no-cycles", "-o", tmp_path]
    code, text, _ = said(capsys, *words)
    record = json.loads((tmp_path / "vit-digits-compiled.json").read_text())
    assert code == 0 and text.splitlines()[:3] == [f"65 tokens: {run['answer']}" for run in record["inferences"]]
    place = open_workplace("vit-digits", None, "tiny", limit=40, say=lambda line: None)
    model = place.task.model
    integer = calibrate(model.encoder, separate(place.task, 128, 0)[0]).model
    encoder = IntegerEncoder(model.encoder, integer, PARAMS)
    expected = [model.outputs(encoder(example)).tolist() for example in place.task.inputs[:3]]
    assert [run["output"] for run in record["inferences"]] == expected


def test_clock_cycles(digits, capsys, tmp_path):
    """Those of the last inference are near the prediction: norms depend on the rows a little."""
    code, text, _ = said(capsys, "run", digits[0], "--mhz", "50", "-o", tmp_path)
    record = json.loads((tmp_path / "vit-digits-compiled.json").read_text())
    cycles = sum(job["cycles"] for jobs in record["kinds"].values() for job in jobs)
    predicted = sum(read_folder(digits[0]).about["predicted_cycles"].values())
    assert code == 0 and abs(cycles - predicted) < predicted / 100
    assert f"At 50 MHz an inference takes {cycles / 5e4:.2f} ms" in text


def test_texts(capsys, tmp_path):
    """A model of texts, all files that its tokenizer needs in the folder, and inputs of three lengths."""
    model, folder = write_model(tmp_path / "texts"), tmp_path / "compiled"
    pairs = write_pairs(tmp_path / "pairs.tsv")
    assert said(capsys, "compile", model, "tiny", "--data", pairs, "--tokens", "6,14", "-o", folder)[0] == 0
    shutil.rmtree(model)
    words = ["run", folder, "--no-cycles", "--text", "1 2 3", "--text", "4 5 6 7 8 9 10 11", "-o", tmp_path]
    code, text, _ = said(capsys, *words)
    assert code == 0 and text.startswith("3 tokens: embedding\n8 tokens: embedding\n")
    record = json.loads((tmp_path / "texts-compiled.json").read_text())
    outputs = [run["output"] for run in record["inferences"]]
    assert np.allclose(np.linalg.norm(outputs, axis=1), 1, atol=1e-5) and len(outputs[0]) == 32
    code, text, _ = said(capsys, *words[:3], "--data", pairs, "--inferences", "2", "-o", tmp_path)
    assert code == 0 and text.startswith("14 tokens: embedding\n14 tokens: embedding\n")


def test_example_of_the_page(digits):
    """The code of docs/encoder.md, on another folder."""
    (block,) = blocks(DOCS / "encoder.md")
    assert block.count("build/sst2") == 1
    rng, space = np.random.default_rng(1), {"print": lambda cycles, jobs: None}
    space["words"] = rng.integers(-3000, 3000, (65, 64))
    exec(block.replace("build/sst2", str(digits[0])), space)
    assert space["hidden"].shape == (1, 64) and space["bus"].runs


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("image.bin", lambda data: data[:-1], r"image.bin has \d+ bytes of \d+"),
        ("image.bin", lambda data: data[:9000] + b"\xff\x55" + data[9002:], "image.bin is damaged"),
        ("image.bin", lambda data: b"", "image.bin is no image of a model"),
        ("host.npz", lambda data: data[:-1], "host.npz is not the file that .*model.json belongs to"),
        ("model.json", lambda data: b"{}", "format = None is not legal; legal: 1"),
        ("model.json", lambda data: b'{"format": 1}', "model.json has no model, units, n_labels, config, sha256"),
        ("model.json", lambda data: data[:-9], "model.json is not sound JSON"),
    ],
)
def test_damaged_folders(copied, name, change, message, capsys, tmp_path):
    path = copied / name
    path.write_bytes(change(path.read_bytes()))
    code, text, error = said(capsys, "run", copied, "-o", tmp_path)
    assert code != 0 and re.search(message, error) and not text


def test_a_missing_file(copied, capsys, tmp_path):
    (copied / "host.npz").unlink()
    code, _, error = said(capsys, "run", copied, "-o", tmp_path)
    assert code == 2 and "host.npz" in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["edge"], "config = 'edge' is not legal; legal: nothing with a folder of hdp-hw compile"),
        (["--settings", "x.json"], "settings = 'x.json' is not legal"),
        (["--text", "a"], "vit-digits takes images"),
    ],
)
def test_what_run_refuses(digits, words, message, capsys, tmp_path):
    code, _, error = said(capsys, "run", digits[0], *words, "-o", tmp_path)
    assert code != 0 and message in error
