"""Folders of models that cannot be read are refused by the file, and the commands say so in one line."""

import json
import re
import struct

import numpy as np
import pytest

from hdp_hw.__main__ import main
from hdp_hw.study.models import ModelError, find_model, load_model
from tb.lib.tiny_model import CONFIG, VIT, random_tensors, write_model, write_pairs, write_tokenizer
from tb.model.test_model_folders import save_raw, write_sentence_transformers, write_shards

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n"
INDEX, SHARD = "model.safetensors.index.json", "model-00002-of-00002.safetensors"
SCALE = {"embeddings.LayerNorm.bias": ("F8_E8M0", (32,), bytes(32))}


@pytest.fixture
def folder(tmp_path):
    return write_model(tmp_path / "model")


def refusal(folder, texts=()):
    """What loading the model, and reading texts, says."""
    with pytest.raises(ModelError) as error:
        load_model(str(folder)).read(texts)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{folder}/", "").replace(f"{folder}", "FOLDER")


def write(folder, **files):
    """Write files, whose dots are two underlines: bytes, a text, or what JSON takes; None deletes one."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        if content is None:
            path.unlink()
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))


# -- config.json ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "config.json is missing"),
        (b"", "config.json is not sound JSON: the file is empty"),
        ('{"hidden_size": 32,}', "config.json is not sound JSON: line 1, column 20: "),
        ("[]", "config.json does not hold an object, {...}, at its top level"),
        ('"bert"', "config.json does not hold an object, {...}, at its top level"),
        ("{}", "FOLDER: config.json: model_type is missing"),
        (b'{"name": "Gr\xf6\xdfe"}', "config.json, line 1: byte 0xf6 is not UTF-8; save the file as UTF-8"),
        (json.dumps(CONFIG).encode("utf-16"), "config.json is UTF-16; save it as UTF-8"),
        ('{"hidden_size": 32, "hidden_size": 64}', "the key 'hidden_size' appears twice in one object"),
        (LFS, "config.json is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"),
    ],
)
def test_config(folder, content, message):
    write(folder, config__json=content)
    assert message in refusal(folder)


# -- weights ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "model.safetensors is empty"),
        (lambda data: data[:-1], "model.safetensors is cut off or damaged (Error while deserializing: incomplete meta"),
        (lambda data: data[:99], "model.safetensors is cut off or damaged (Error while deserializing: invalid header"),
        (lambda data: data[:5], "model.safetensors is cut off or damaged (Error while deserializing: header too small"),
        (
            lambda data: data[:8] + b"!" + data[9:],
            "model.safetensors is cut off or damaged (Error while deserializing:",
        ),
        (
            lambda data: data + b"0",
            "model.safetensors is cut off or damaged (Error while deserializing: incomplete meta",
        ),
        (lambda data: struct.pack("<Q", 1 << 60) + data[8:], "model.safetensors is cut off or damaged"),
        (lambda data: b"<!doctype html>" * 99, "model.safetensors is cut off or damaged"),
        (lambda data: LFS, "model.safetensors is a Git LFS pointer, not the weights; run `git lfs pull` in its folder"),
        (lambda data: b"PK\x03\x04" + data, "model.safetensors is a file of torch.save, not of safetensors; to write"),
        (lambda data: b"\x80\x02" + data, "model.safetensors is a file of torch.save, not of safetensors; to write"),
    ],
)
def test_weights(folder, change, message):
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    assert refusal(folder).startswith(message)


def test_a_tensor_twice_in_one_file(folder):
    part = '"a":{"dtype":"F32","shape":[1],"data_offsets":['
    text = f"{{{part}0,4]}},{part}4,8]}}}}".encode()
    write(folder, model__safetensors=struct.pack("<Q", len(text)) + text + bytes(8))
    assert refusal(folder).startswith("model.safetensors is cut off or damaged")


def test_a_type_that_is_no_number(folder):
    tensors = {name: ("F32", x.shape, x.tobytes()) for name, x in random_tensors().items()}
    save_raw(folder / "model.safetensors", tensors | SCALE)
    message = refusal(folder)
    assert message.startswith("model.safetensors: embeddings.LayerNorm.bias is of type F8_E8M0; supported: BF16,")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "tf_model.h5", "a.gguf"])
def test_weights_of_another_format(folder, name):
    """The line to run has the class that the configuration names."""
    write(folder, config__json=CONFIG | {"architectures": ["BertForSequenceClassification"]})
    (folder / "model.safetensors").rename(folder / name)
    code = "from transformers import BertForSequenceClassification as M; M.from_pretrained('.').save_pretrained('.')"
    assert refusal(folder) == (
        f"model.safetensors is missing; {name} cannot be read; "
        f'to write model.safetensors, run in the folder: python -c "{code}"'
    )
    write(folder, config__json=CONFIG)
    assert "import AutoModel as M;" in refusal(folder)


def test_weights_of_another_name(folder):
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")
    message = (
        "model.safetensors is missing, and model.safetensors.index.json too; the folder has model.fp16.safetensors"
    )
    assert refusal(folder) == message


def test_links_to_nowhere(folder):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).rename(folder / "kept")
        (folder / name).symlink_to("../blobs/gone")
        assert refusal(folder) == f"{name} is a link to what does not exist"
        (folder / name).unlink()
        (folder / "kept").rename(folder / name)


# -- shards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, f"{INDEX}: weight_map is not legal; legal: {{name of a tensor: name of a file, ...}}"),
        ({"weight_map": []}, f"{INDEX}: weight_map is not legal"),
        ({"weight_map": {"a": 1}}, f"{INDEX}: weight_map is not legal"),
        ({"weight_map": {"a": "nowhere.safetensors"}}, f"nowhere.safetensors is missing, which {INDEX} names"),
        ({"weight_map": {"a": SHARD}}, f"{SHARD} lacks tensors that {INDEX} finds there: a"),
        ("[]", f"{INDEX} does not hold an object, {{...}}, at its top level"),
        ("{", f"{INDEX} is not sound JSON: line 1, column 2"),
    ],
)
def test_index(tmp_path, content, message):
    folder = write_shards(tmp_path)
    write(folder, model__safetensors__index__json=content)
    assert refusal(folder).startswith(message)


def test_shards(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    folder = write_shards(tmp_path)
    tensors = safetensors.load_file(folder / SHARD)
    first = min(random_tensors())
    safetensors.save_file(tensors | {first: np.ones(1)}, folder / SHARD)
    assert refusal(folder) == f"{SHARD} holds tensors that another shard of {INDEX} holds too: {first}"
    (folder / SHARD).unlink()
    assert refusal(folder) == f"{SHARD} is missing, which {INDEX} names"


# -- tokenizers -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tokenizer.json is missing"),
        (b"", "tokenizer.json is not a sound tokenizer (EOF while parsing"),
        ("{}", "tokenizer.json is not a sound tokenizer ("),
        ("[]", "tokenizer.json is not a sound tokenizer ("),
        (LFS, "tokenizer.json is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"),
        (b"\xff", "tokenizer.json, line 1: byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_tokenizer(folder, content, message):
    write(folder, tokenizer__json=content)
    assert refusal(folder).startswith(message)


@pytest.mark.parametrize("old", ["vocab.txt", "vocab.json", "sentencepiece.bpe.model"])
def test_tokenizer_of_another_format(folder, old):
    (folder / "tokenizer.json").rename(folder / old)
    code = "from transformers import AutoTokenizer as T; T.from_pretrained('.').save_pretrained('.')"
    assert refusal(folder) == (
        f'tokenizer.json is missing, and {old} cannot be read; to write it, run in the folder: python -c "{code}"'
    )


def change_tokenizer(folder, change):
    """Save the tokenizer after ``change(tokenizer)``."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    change(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))


def test_tokens_beyond_the_vocabulary(folder):
    """They matter where a text has them."""
    change_tokenizer(folder, lambda tokenizer: tokenizer.add_tokens(["indeed", "overall"]))
    assert load_model(str(folder)).read(["3 1 4"]) == [[3, 1, 4]]
    assert refusal(folder, ["3 1 4", "3 indeed 4"]) == (
        "tokenizer.json: the token 'indeed' of the text '3 indeed 4' is number 20; the model knows those "
        "below vocab_size = 20"
    )


def test_texts_without_tokens(folder):
    assert refusal(folder, [" "]) == "tokenizer.json makes no token of the text ' '"


def test_unknown_words_without_a_token_for_them(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["unk_token"] = "none"
    write(folder, tokenizer__json=tokenizer)
    message = refusal(folder, ["word " * 20])
    assert message.startswith("tokenizer.json does not take the text 'word word word word word word word wo...' (WordL")


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_tokens_than_special_ones(folder, n):
    processors = pytest.importorskip("tokenizers.processors")
    special = processors.TemplateProcessing(single="0 $A 1", special_tokens=[("0", 0), ("1", 1)])
    change_tokenizer(folder, lambda tokenizer: setattr(tokenizer, "post_processor", special))
    model = load_model(str(folder))
    assert model.read(["3 1 4"], 3) == [[0, 3, 1]]
    with pytest.raises(ModelError, match=f"{n} tokens a text; legal: above the 2 special tokens of .*tokenizer.json"):
        model.read(["3 1 4"], n)


def test_truncation_at_the_other_end(folder):
    write(folder, tokenizer_config__json={"truncation_side": "left"})
    assert load_model(str(folder)).read(["3 1 4"], 2) == [[1, 4]]
    write(folder, tokenizer_config__json={"truncation_side": "top"})
    assert refusal(folder) == "tokenizer_config.json: truncation_side = 'top' is not legal; legal: left, right"


@pytest.mark.parametrize(("name", "own"), [("do_lower_case", "lowercase"), ("strip_accents", "strip_accents")])
def test_tokenizer_files_that_contradict_each_other(folder, name, own):
    normalizers = pytest.importorskip("tokenizers.normalizers")
    normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    change_tokenizer(folder, lambda tokenizer: setattr(tokenizer, "normalizer", normalizer))
    write(folder, tokenizer_config__json={name: True})
    load_model(str(folder))
    write(folder, tokenizer_config__json={name: False})
    assert refusal(folder) == (
        f"tokenizer_config.json: {name} = False, but in tokenizer.json {own} = True; make both say the same"
    )


# -- images -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rescale_factor": "1"}, "rescale_factor = '1' is not legal; legal: a finite number"),
        ({"rescale_factor": float("inf")}, "rescale_factor = inf is not legal; legal: a finite number"),
        ({"image_mean": [1, 2]}, "image_mean = [1, 2] is not legal; legal: a finite number, or one for each of 3 chan"),
        ({"image_std": [1, 0, 1]}, "image_std = [1, 0, 1] is not legal; legal: no zeros"),
        ({"image_std": None}, "image_std = None is not legal"),
    ],
)
def test_scaling_of_images(tmp_path, options, message):
    write(write_model(tmp_path, VIT), preprocessor_config__json=options)
    assert refusal(tmp_path).startswith(f"preprocessor_config.json: {message}")


# -- sentence-transformers and others ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pooling", "mode"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "pooling_mode_cls_token"),
        ({"pooling_mode_max_tokens": True}, "pooling_mode_mean_tokens, pooling_mode_max_tokens"),
        ({"pooling_mode_mean_tokens": False}, "no pooling"),
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, "pooling_mode_lasttoken"),
        ({"pooling_mode": "cls"}, "pooling_mode = 'cls'"),
        ({"pooling_mode": ["mean", "max"]}, "pooling_mode = ['mean', 'max']"),
    ],
)
@pytest.mark.parametrize("listed", [True, False], ids=["modules.json", "alone"])
def test_pooling(tmp_path, pooling, mode, listed):
    folder = write_sentence_transformers(tmp_path, "", pooling)
    if not listed:
        (folder / "modules.json").unlink()
    message = f"1_Pooling/config.json: {mode} is not supported; supported: the mean of all tokens"
    assert refusal(folder) == message


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("{}", "modules.json does not hold a list, [...], at its top level"),
        ([1], "modules.json: a module is not legal; legal: an object with type and path"),
        ([], "modules.json lists 0 modules of type Transformer; legal: 1"),
        (
            [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}],
            "modules.json: the module 2_Dense is sentence_transformers.models.Dense, which is not computed; computed: ",
        ),
        ([{"type": "own.Pooling", "path": "3_Pooling"}], "3_Pooling/config.json is missing"),
        ([{"type": "own.Transformer", "path": "nowhere"}], "nowhere/config.json is missing"),
    ],
)
def test_modules(folder, modules, message):
    write(folder, modules__json=modules)
    assert refusal(folder).startswith(message)


def test_what_stands_beside_a_model(folder):
    write(folder, config_sentence_transformers__json={"prompts": {"q": "query: "}, "default_prompt_name": "q"})
    message = "config_sentence_transformers.json: default_prompt_name = 'q' is not supported; supported: none"
    assert refusal(folder) == message
    write(folder, adapter_config__json={})
    assert refusal(folder) == "adapter_config.json: adapters are not supported; merge them into the weights"


def test_snapshots(tmp_path):
    for name in ("0abc", "1def"):
        (tmp_path / "snapshots" / name).mkdir(parents=True)
    assert refusal(tmp_path) == "snapshots does not hold the one snapshot that is meant; give its folder"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "model '' is neither a directory nor an installed package"),
        ("__main__", "model '__main__' is neither a directory nor"),
        ("org/model", "; a model of Hugging Face's hub has to be downloaded into a folder first"),
        (__file__, "is a file; give the folder that it lies in"),
    ],
)
def test_names(name, message):
    with pytest.raises(ModelError, match=re.escape(message)):
        find_model(name)


# -- commands ---------------------------------------------------------------------------------------------------------
COMMANDS = {"profile": [], "calibrate": [], "compare": ["--only", "Sanger", "--examples", "4"]}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: write(folder, config__json="{"), "config.json is not sound JSON"),
        (lambda folder: write(folder, model__safetensors=b""), "model.safetensors is empty"),
        (lambda folder: write(folder, tokenizer__json="{}"), "tokenizer.json is not a sound tokenizer"),
        (
            lambda folder: write(folder, config__json=CONFIG | {"is_decoder": True}),
            "is_decoder = True is not supported",
        ),
        (
            lambda folder: write_tokenizer(write_model(folder, CONFIG | {"vocab_size": 19}), 20),
            "is number 19; the model knows those below vocab_size = 19",
        ),
    ],
)
def test_commands_say_it_in_one_line(folder, tmp_path, monkeypatch, capsys, command, change, said):
    monkeypatch.chdir(tmp_path)
    change(folder)
    code = main([command, str(folder), "--data", str(write_pairs(tmp_path / "pairs.tsv")), *COMMANDS[command]])
    *progress, line = capsys.readouterr().err.splitlines()
    assert not any(each.startswith(("hdp-hw", "Traceback")) for each in progress)
    assert code in (1, 2) and line.startswith("hdp-hw") and said in line


def test_explore_says_it_in_one_line(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(folder, model__safetensors=LFS)
    layer = {"q_absmax": 1.0, "k_absmax": 1.0, "v_absmax": 1.0}
    write(tmp_path, settings__json={"format": 1, "layers": {"0": layer, "1": layer}})
    assert main(["explore", "--workload", "settings.json", "--model", str(folder)]) == 1
    *progress, line = capsys.readouterr().err.splitlines()
    assert not any(each.startswith(("hdp-hw", "Traceback")) for each in progress)
    assert line.startswith("hdp-hw explore: ") and "is a Git LFS pointer" in line
