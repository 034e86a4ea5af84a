"""Folders of models in all the forms that load, with the right values: hdp_hw/study/models/."""

import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest

from hdp_hw.study.models import Encoder, load_model, model_files
from hdp_hw.study.sweep import digest_of_job
from hdp_hw.study.tasks import load_task
from tb.lib.tiny_model import CONFIG, VIT, random_tensors, write_model, write_tokenizer

TEXT, TOKENS = "3 1 4 1 5", [3, 1, 4, 1, 5]


def hidden_of(folder):
    return load_model(str(folder)).encoder(TOKENS)


def save_raw(path, tensors):
    """Write ``{name: (type, shape, bytes)}`` as safetensors, also of types that numpy has no name for."""
    header, start = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + len(data)]}
        start += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


# -- types of numbers -------------------------------------------------------------------------------------------------
def e5m2(array):
    """``(bytes, their numbers)`` by cutting float16 short."""
    codes = array.astype(np.float16).view(np.uint16) & 0xFF00
    return (codes >> 8).astype(np.uint8).tobytes(), codes.view(np.float16).astype(np.float32)


def e4m3(array):
    """``(bytes, their numbers)``: the nearest of those that the definition of the format lists."""
    codes = np.array([code for code in range(256) if code & 127 != 127], np.uint8)
    values = []
    for code in codes.tolist():
        sign, exponent, mantissa = -1 if code >> 7 else 1, code >> 3 & 15, code & 7
        values.append(sign * (2.0 ** (exponent - 7) * (1 + mantissa / 8) if exponent else 2.0**-6 * mantissa / 8))
    nearest = np.abs(array[..., None] - np.array(values)).argmin(-1)
    return codes[nearest].tobytes(), np.array(values)[nearest].astype(np.float32)


def bf16(array):
    """``(bytes, their numbers)`` by cutting float32 short."""
    codes = array.view(np.uint32) & 0xFFFF0000
    return (codes >> 16).astype(np.uint16).tobytes(), codes.view(np.float32)


def as_type(kind):
    return lambda array: (array.astype(kind).tobytes(), array.astype(kind).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "encode"),
    [
        ("F64", as_type(np.float64)),
        ("F32", as_type(np.float32)),
        ("F16", as_type(np.float16)),
        ("BF16", bf16),
        ("F8_E5M2", e5m2),
        ("F8_E4M3", e4m3),
    ],
)
def test_types_of_numbers(tmp_path, kind, encode):
    folder, coded, plain = write_model(tmp_path), {}, {}
    for name, array in random_tensors().items():
        data, plain[name] = encode(array)
        coded[name] = kind, array.shape, data
    coded["embeddings.position_ids"] = "I64", (1, 24), bytes(8 * 24)  # a buffer, which nothing depends on
    save_raw(folder / "model.safetensors", coded)
    model = load_model(str(folder))
    assert {array.dtype for array in model.encoder.tensors.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(model.encoder(TOKENS), Encoder(CONFIG, plain)(TOKENS))


@pytest.mark.parametrize(
    ("kind", "code", "value"),
    [
        *[("F8_E4M3", 0x38, 1.0), ("F8_E4M3", 0x7E, 448.0), ("F8_E4M3", 0x81, -(2.0**-9)), ("F8_E4M3", 0x08, 2.0**-6)],
        *[("F8_E5M2", 0x3C, 1.0), ("F8_E5M2", 0x7B, 57344.0), ("F8_E5M2", 0x81, -(2.0**-16))],
    ],
)
def test_numbers_of_eight_bits(tmp_path, kind, code, value):
    tensors = {name: ("F32", x.shape, x.tobytes()) for name, x in random_tensors(n_labels=2).items()}
    tensors["classifier.bias"] = kind, (2,), bytes([code, 0])
    save_raw(write_model(tmp_path) / "model.safetensors", tensors)
    assert load_model(str(tmp_path)).encoder.tensors["classifier.bias"].tolist() == [value, 0.0]


# -- shards -----------------------------------------------------------------------------------------------------------
def write_shards(folder):
    """The model in two files and an index."""
    save_file = pytest.importorskip("safetensors.numpy").save_file
    write_model(folder)
    (folder / "model.safetensors").unlink()
    names, tensors = sorted(random_tensors()), random_tensors()
    files = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for file, of_file in files.items():
        save_file({name: tensors[name] for name in of_file}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, of_file in files.items() for name in of_file}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_shards(tmp_path):
    np.testing.assert_array_equal(hidden_of(write_shards(tmp_path / "b")), hidden_of(write_model(tmp_path / "a")))


# -- names of tensors -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("outer", "base"),
    [(outer, base) for base in ("", "bert.") for outer in ("", "model.", "module.", "_orig_mod.", "0.auto_model.")]
    + [("module._orig_mod.model.", "bert."), ("student.", ""), ("", "roberta.")],
)
def test_prefixes(tmp_path, outer, base):
    """A classifier lies beside the encoder; what is of no use is left out."""
    tensors = random_tensors(n_labels=2)
    heads = {name: tensors[name] for name in tensors if name.startswith("classifier")}
    named = {f"{outer}{base}{name}": x for name, x in tensors.items() if name not in heads}
    named |= {f"{outer}{name}": x for name, x in heads.items()}
    named |= {f"{outer}{base}embeddings.position_ids": np.arange(24), f"{outer}cls.predictions.bias": np.ones(20)}
    model = load_model(str(write_model(tmp_path, tensors=named)))
    expected = Encoder(CONFIG, tensors)
    np.testing.assert_array_equal(model.encoder(TOKENS), expected(TOKENS))
    assert model.run([TOKENS]).tolist() == [expected.classify(expected(TOKENS)[0]).tolist()]


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."])
def test_wrappers_of_layers(tmp_path, wrapper):
    tensors = random_tensors()
    named = {name.replace("encoder.layer.1.", f"encoder.layer.1.{wrapper}"): x for name, x in tensors.items()}
    assert named.keys() != tensors.keys()
    hidden = hidden_of(write_model(tmp_path, tensors=named))
    np.testing.assert_array_equal(hidden, Encoder(CONFIG, tensors)(TOKENS))


# -- kinds of models --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta", "camembert", "data2vec-text"])
def test_layouts_of_roberta(tmp_path, kind):
    """Positions begin behind that of the padding; the classifier has a layer of its own."""
    config = CONFIG | {"model_type": kind, "max_position_embeddings": 26, "pad_token_id": 1}
    tensors = random_tensors(config, n_labels=3)
    prefix = "data2vec_text." if kind.startswith("data") else "roberta."
    named = {name if name.startswith("classifier") else prefix + name: x for name, x in tensors.items()}
    model = load_model(str(write_model(tmp_path, config, named)))
    assert model.encoder.max_seq_len == 24 and model.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    renamed = {
        name.replace("classifier.dense", "pooler.dense").replace("classifier.out_proj", "classifier"): x
        for name, x in tensors.items()
    }
    renamed["embeddings.position_embeddings.weight"] = tensors["embeddings.position_embeddings.weight"][2:]
    bert = Encoder(CONFIG, renamed)
    np.testing.assert_array_equal(model.encoder(TOKENS), bert(TOKENS))
    np.testing.assert_array_equal(model.run([TOKENS])[0], bert.classify(bert(TOKENS)[0]))


@pytest.mark.parametrize("edge", [6, [6, 6]])
@pytest.mark.parametrize("patch", [2, [2, 2]])
def test_sizes_of_images(tmp_path, edge, patch):
    config = VIT | {"image_size": edge, "patch_size": patch}
    model = load_model(str(write_model(tmp_path, config)))
    image = np.random.default_rng(2).normal(size=(3, 6, 6)).astype(np.float32)
    np.testing.assert_array_equal(model.read([image])[0], image)
    np.testing.assert_array_equal(model.encoder(image), Encoder(VIT, random_tensors(VIT))(image))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (20 / 255 - 0.5) / 0.5),  # what ViTImageProcessor has by default
        ({"do_rescale": False, "do_normalize": False, "image_mean": [9, 9, 9]}, 20.0),
        ({"do_normalize": False, "rescale_factor": 0.25}, 5.0),
        ({"rescale_factor": 0.25, "image_mean": 1, "image_std": [2]}, 2.0),
    ],
)
def test_scaling_of_images(tmp_path, options, expected):
    (write_model(tmp_path, VIT) / "preprocessor_config.json").write_text(json.dumps(options))
    (image,) = load_model(str(tmp_path)).read([np.full((3, 6, 6), 20)])
    assert image.tolist() == np.full((3, 6, 6), expected, np.float32).tolist()


# -- labels -----------------------------------------------------------------------------------------------------------
TWELVE = {str(index): f"c{index:02}" for index in (0, 1, 10, 11, *range(2, 10))}  #: in the order of their texts


@pytest.mark.parametrize("names", [TWELVE, dict(reversed(TWELVE.items()))])
def test_labels_by_their_numbers(tmp_path, names):
    """A classifier that answers c10, on examples with that name, is right."""
    tensors = random_tensors(n_labels=12)
    tensors["classifier.bias"] += 99 * (np.arange(12) == 10)
    folder = write_model(tmp_path, CONFIG | {"id2label": names}, tensors)
    model = load_model(str(folder))
    assert model.labels == tuple(f"c{index:02}" for index in range(12))
    (folder / "named.tsv").write_text("sentence\tlabel\n" + "1 2 3\tc10\n" * 9 + "4 5\tc02\n")
    task = load_task(folder / "named.tsv", model)
    task = task.fit(model.run(task.inputs))
    assert task.metric(task.predict(task.dense), task.labels) == 0.9


@pytest.mark.parametrize("names", [None, {}])
def test_no_names_of_labels(tmp_path, names):
    config = CONFIG | ({"id2label": names} if names is None else {})
    model = load_model(str(write_model(tmp_path, config, n_labels=3)))
    assert model.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_names_of_labels_without_a_classifier_make_no_classes(tmp_path):
    model = load_model(str(write_model(tmp_path, CONFIG | {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})))
    assert model.labels == () and np.linalg.norm(model.run([TOKENS])[0]) == pytest.approx(1)


# -- folders ----------------------------------------------------------------------------------------------------------
MODULES = [("0", "{}", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]


def write_sentence_transformers(folder, inner, pooling):
    """A model of sentence-transformers, whose encoder lies in the folder ``inner``."""
    write_model(folder / inner)
    modules = [
        {"idx": int(name), "name": name, "path": path.format(inner), "type": f"sentence_transformers.models.{kind}"}
        for name, path, kind in MODULES
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


@pytest.mark.parametrize("inner", ["", "0_Transformer"])
@pytest.mark.parametrize(
    "pooling",
    [
        {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        {"word_embedding_dimension": 32},
        {"pooling_mode": "mean"},
    ],
)
def test_sentence_transformers(tmp_path, inner, pooling):
    folder = write_sentence_transformers(tmp_path / "st", inner, pooling)
    np.testing.assert_array_equal(hidden_of(folder), hidden_of(write_model(tmp_path / "plain")))
    assert {path.name for path in model_files(folder)} >= {"config.json", "modules.json", "model.safetensors"}


def test_sentence_transformers_in_lower_case(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    write_model(tmp_path)
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "A": 1, "ä": 2}, unk_token="a"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert load_model(str(tmp_path)).read(["a A ä Ä"]) == [[0, 1, 2, 0]]
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 9, "do_lower_case": true}')
    assert load_model(str(tmp_path)).read(["a A ä Ä"]) == [[0, 0, 2, 2]]


def test_cache_of_hugging_face(tmp_path):
    """Files are links into blobs; the folder of the model means the snapshot of refs/main."""
    plain, cache = write_model(tmp_path / "plain"), tmp_path / "models--org--tiny"
    for commit in ("0abc", "1def"):
        (cache / "snapshots" / commit).mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("1def")
    (cache / "blobs").mkdir()
    for index, file in enumerate(sorted(plain.iterdir())):
        (cache / "blobs" / str(index)).write_bytes(file.read_bytes())
        (cache / "snapshots" / "1def" / file.name).symlink_to(f"../../blobs/{index}")
    for folder in (cache, cache / "snapshots" / "1def"):
        np.testing.assert_array_equal(hidden_of(folder), hidden_of(plain))
        assert [path.name for path in model_files(folder)] == ["config.json", "model.safetensors", "tokenizer.json"]


def test_digest_of_a_clone(tmp_path):
    """What git and other tools leave beside a model does not count; what is read does."""
    folder = write_model(tmp_path / "model.v1")
    plain = digest_of_job("job", (), str(folder))
    for place in (".git", ".cache", "onnx", "dotted.folder"):
        (folder / place).mkdir()
    (folder / ".git" / "config.json").write_text("{}")
    (folder / "README.md").write_text("Hello.")
    assert digest_of_job("job", (), str(folder)) == plain
    write_tokenizer(folder, 19)
    assert digest_of_job("job", (), str(folder)) != plain
    write_tokenizer(folder, 20)
    assert digest_of_job("job", (), str(folder)) == plain
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")
    assert digest_of_job("job", (), str(folder)) != plain


def test_byte_order_mark(tmp_path):
    folder, expected = write_model(tmp_path), hidden_of(write_model(tmp_path / "plain"))
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"\xef\xbb\xbf" + (folder / name).read_bytes())
    np.testing.assert_array_equal(hidden_of(folder), expected)


def test_any_locale_and_name(tmp_path):
    folder = write_model(tmp_path / "Größe mit Raum", CONFIG | {"id2label": {"0": "schön", "1": "häßlich"}}, n_labels=2)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
    code = "import os, sys; from hdp_hw.study.models import load_model; model = load_model(sys.argv[1])"
    code += "; print(ascii([os.fsencode(model.name).decode(), *model.labels]))"
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": path}
    said = subprocess.check_output([sys.executable, "-c", code, str(folder)], env=environment, text=True)
    assert said == "['Gr\\xf6\\xdfe mit Raum', 'sch\\xf6n', 'h\\xe4\\xdflich']\n"


def test_the_folder_one_is_in(tmp_path, monkeypatch):
    monkeypatch.chdir(write_model(tmp_path / "inside"))
    assert load_model(".").name == "inside" and load_model("../inside/").name == "inside"
