"""The encoder in C, for a processor alone, on this machine: bit for bit the golden model's."""

import ctypes
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from hdp_hw.commands.arguments import progress
from hdp_hw.encoder.jobs import Affine, Linear, Norm
from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.bits.encoder.linear_head import unpacked
from hdp_hw.soc.firmware import SOURCES
from hdp_hw.soc.model_case import ModelCase
from hdp_hw.soc.model_source import ModelSource, add_model, encoder_tables
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.encoder import EPSILON_WIDTH, OPERAND_MAX, Activation
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.study.accuracy.calibrate import open_workplace
from tb.lib.c_driver import FLAGS, pointer
from tb.lib.linear_layers import random_scales, random_table


def compiled(folder, text, files=None):
    """ctypes.CDLL of the encoder and further text of C, which includes ``files``, without a warning."""
    for name, content in (files or {}).items():
        (folder / name).write_bytes(content)
    (folder / "encoder_tables.h").write_text(encoder_tables())
    (folder / "more.c").write_text(f'#include "encoder.h"\n{text}')
    command = ["cc", *FLAGS, "-Wconversion", "-Wno-unknown-pragmas", "-O1", "-fPIC", "-shared", f"-I{SOURCES}", "-I."]
    subprocess.run([*command, SOURCES / "encoder.c", "more.c", "-o", "encoder.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "encoder.so"))


def constant(kind, source, value):
    """C that defines ``subject``."""
    return "".join(source.parts) + f"const {kind} subject = {value};\n"


def subject_of(library):
    return ctypes.byref(ctypes.c_char.in_dll(library, "subject"))


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("activation", Activation)
def test_linear(tmp_path, activation, words):
    rng = np.random.default_rng(activation * 2 + words)
    k, n_out, n_rows = 37, 23, 50
    scales = {
        name: value for name, value in unpacked(random_scales(rng, n_out, k)).items() if name != "factor" or not words
    }
    weight, x = (rng.integers(-OPERAND_MAX, OPERAND_MAX + 1, (n, k)) for n in (n_out, n_rows))
    table = random_table(rng) if activation == Activation.TABLE else None
    layer, source = Linear(weight, activation=activation, table=table, **scales), ModelSource()
    library = compiled(tmp_path, constant("encoder_linear", source, source.linear("layer", layer)))
    results = np.zeros((n_rows, n_out), np.int16 if words else np.int8)
    library.encoder_linear_rows(subject_of(library), pointer(x.astype(np.int8)), n_rows, pointer(results))
    np.testing.assert_array_equal(results, layer(x))


@pytest.mark.parametrize("rms", [False, True])
@pytest.mark.parametrize("parts", ["words operands", "words", "operands"])
@pytest.mark.parametrize("streams", [1, 2])
def test_norm(tmp_path, parts, streams, rms):
    """Rows of every size of words, constant ones too."""
    rng, n, n_rows = np.random.default_rng(streams), 41, 60
    largest = np.minimum(1 << rng.integers(0, 16, (2, n_rows, 1)), 32767)
    x, y = (rng.integers(-1 - largest, 1 + largest, (2, n_rows, n))).clip(-32768, 32767)
    x[:3], y[:3] = [[0], [32767], [-5]], 0

    def affine(name):
        return Affine(*rng.integers(-32768, 32768, (2, n)), int(rng.integers(8, 16))) if name in parts.split() else None

    epsilon = int(rng.integers(1 << EPSILON_WIDTH)) if streams == 2 else 0
    norm, source = (
        Norm(affine("words"), affine("operands"), 50_000, 40_000 * (streams - 1), epsilon, rms),
        ModelSource(),
    )
    library = compiled(tmp_path, constant("encoder_norm", source, source.norm("norm", norm, n)))
    residual, operands = np.zeros((n_rows, n), np.int16), np.zeros((n_rows, n), np.int8)
    words = [pointer(x.astype(np.int16)), pointer(y.astype(np.int16)) if streams == 2 else None]
    library.encoder_norm_rows(subject_of(library), *words, n_rows, pointer(residual), pointer(operands))
    expected = norm(x, y if streams == 2 else None)
    np.testing.assert_array_equal(residual, expected[0])
    np.testing.assert_array_equal(operands[:, : expected[1].shape[1]], expected[1])


@pytest.mark.parametrize("n_k", [1, 2, 7, 65, 500])
def test_attention(tmp_path, n_k):
    """From flat to sharp, at places between other heads' operands."""
    rng, library, d, stride, n_q = np.random.default_rng(n_k), compiled(tmp_path, ""), 16, 48, 9
    for mult, shift in ((0, 0), (1, 20), (255, 16), (200, 9), (255, 0)):
        q, k, v = (rng.integers(-OPERAND_MAX, OPERAND_MAX + 1, (n, stride)) for n in (n_q, n_k, n_k))
        output = np.zeros((n_q, stride), np.int8)
        operands = [pointer(x.astype(np.int8)) for x in (q, k, v)]
        library.encoder_attend(*operands, n_q, n_k, d, stride, mult, shift, pointer(output))
        settings = HeadSettings(n_q, n_k, d, mult=mult, shift=shift)
        expected = attend(q[:, :d], k[:, :d], v[:, :d], settings, CONFIGS["edge"]).output
        np.testing.assert_array_equal(output[:, :d], expected)
        assert not output[:, d:].any()


@pytest.mark.parametrize(("name", "tokens"), [("vit-digits", None), ("vit-vowels", None), ("bert-tiny-sst2", 40)])
def test_models(tmp_path, name, tokens):
    """With their weights, calibrated, from the words of the embeddings to those of the hidden states."""
    pytest.importorskip("safetensors")
    case = ModelCase.of(open_workplace(name, None, "edge", [], tokens, 150, 1, progress))
    source = ModelSource()
    add_model(source, case.model, len(case.embeddings), case.params)
    text = "".join(source.parts).replace("static const encoder_model encoder", "const encoder_model subject")
    library = compiled(tmp_path, text, source.files)
    library.encoder_run.restype = ctypes.POINTER(ctypes.c_int16)
    words = library.encoder_run(subject_of(library), pointer(case.embeddings.astype(np.int16)))
    np.testing.assert_array_equal(np.ctypeslib.as_array(words, case.hidden.shape), case.hidden)
    assert case.hidden.any()


@pytest.mark.parametrize(
    ("n", "change", "said"),
    [
        (513, {}, r"positions = 513 is not legal; legal: 1 to 512, on a processor alone"),
        (9, {"rule": Rule.MASS, "threshold": 0.1}, r"rule = .* is not legal; legal: dense, on a processor alone"),
    ],
)
def test_refuses(n, change, said):
    pytest.importorskip("safetensors")
    case = ModelCase.of(open_workplace("vit-digits", None, "edge", [], None, 50, 1, progress))
    layers = [replace(layer, attention=replace(layer.attention, **change)) for layer in case.model.layers]
    with pytest.raises(ParameterError, match=said):
        add_model(ModelSource(), replace(case.model, layers=layers), n, case.params)
