"""Models whose numbers would be wrong are refused by the setting or the tensor: hdp_hw/study/models/."""

import json

import numpy as np
import pytest

from hdp_hw.study.models import Encoder, ModelError, load_model
from hdp_hw.study.models.layouts import LAYOUTS
from tb.lib.tiny_model import CONFIG, VIT, random_tensors, write_model

QUERY = "encoder.layer.0.attention.self.query.weight"
WHOLE = "is not legal; legal: a whole number from 1 to"


def refusal(config, tensors=None, n_labels=0):
    """What an Encoder says of a configuration."""
    with pytest.raises(ModelError) as error:
        Encoder(config, random_tensors(n_labels=n_labels) if tensors is None else tensors)
    assert "\n" not in str(error.value)
    return str(error.value)


# -- settings that are not legal --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": "2"}, f"num_attention_heads = '2' {WHOLE} 1024"),
        ({"num_attention_heads": 0}, f"num_attention_heads = 0 {WHOLE} 1024"),
        ({"num_attention_heads": True}, f"num_attention_heads = True {WHOLE} 1024"),
        ({"num_attention_heads": 5}, "hidden_size = 32 is not legal; legal: a multiple of num_attention_heads = 5"),
        ({"num_hidden_layers": 0}, f"num_hidden_layers = 0 {WHOLE} 1024"),
        ({"num_hidden_layers": 2.0}, f"num_hidden_layers = 2.0 {WHOLE} 1024"),
        ({"num_hidden_layers": -1}, f"num_hidden_layers = -1 {WHOLE} 1024"),
        ({"num_hidden_layers": 10**9}, f"num_hidden_layers = 1000000000 {WHOLE} 1024"),
        ({"hidden_size": None}, f"hidden_size = None {WHOLE} 16777216"),
        ({"hidden_size": [32]}, f"hidden_size = [32] {WHOLE} 16777216"),
        ({"type_vocab_size": 0}, f"type_vocab_size = 0 {WHOLE} 16777216"),
        ({"vocab_size": 1e3}, f"vocab_size = 1000.0 {WHOLE} 16777216"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps = '1e-12' is not legal; legal: a number between 0 and 1"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps = nan is not legal; legal: a number between 0 and 1"),
        ({"layer_norm_eps": 0}, "layer_norm_eps = 0 is not legal"),
        ({"hidden_act": "gelu_10"}, "hidden_act = 'gelu_10' is not supported; supported: gelu, gelu_python, gelu_new,"),
        ({"hidden_act": {}}, "hidden_act = {} is not supported"),
        ({"model_type": "t5"}, f"model_type = 't5' is not supported; supported: {', '.join(LAYOUTS)}"),
        ({"model_type": "mpnet"}, "model_type = 'mpnet' is not supported"),
        ({"model_type": ["bert"]}, "model_type = ['bert'] is not supported"),
        ({"architectures": "BertModel"}, "architectures = 'BertModel' is not legal; legal: a list of names"),
        ({"model_type": "roberta", "pad_token_id": None}, "pad_token_id = None is not legal; legal: a whole number"),
        (
            {"model_type": "roberta", "pad_token_id": 23},
            "max_position_embeddings = 24 is not legal; legal: above 24, where positions begin",
        ),
    ],
)
def test_illegal_settings(change, message):
    assert refusal(CONFIG | change).startswith(f"config.json: {message}")


@pytest.mark.parametrize("name", CONFIG)
def test_missing_settings(name):
    config = {each: value for each, value in CONFIG.items() if each != name}
    assert refusal(config) == f"config.json: {name} is missing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": [6, 8]}, "image_size = [6, 8] is not supported; supported: a number, or [height, width] of a"),
        ({"image_size": [6]}, "image_size = [6] is not supported"),
        ({"image_size": ["6", "6"]}, f"image_size = '6' {WHOLE} 16384"),
        ({"patch_size": 4}, "image_size = 6 is not legal; legal: a multiple of patch_size = 4"),
        ({"patch_size": 0}, f"patch_size = 0 {WHOLE}"),
        ({"num_channels": 0}, f"num_channels = 0 {WHOLE} 1024"),
        ({"qkv_bias": False}, "qkv_bias = False is not supported; supported: True"),
    ],
)
def test_illegal_settings_of_images(change, message):
    assert refusal(VIT | change, random_tensors(VIT)).startswith(f"config.json: {message}")


# -- settings that change the numbers ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value", "supported"),
    [
        ("position_embedding_type", "relative_key", "'absolute'"),
        ("position_embedding_type", "relative_key_query", "'absolute'"),
        ("position_embedding_type", "alibi", "'absolute'"),
        ("relative_attention", True, "False"),
        ("is_decoder", True, "False"),
        ("is_decoder", "no", "False"),
        ("is_encoder_decoder", True, "False"),
        ("add_cross_attention", True, "False"),
        ("problem_type", "multi_label_classification", "'single_label_classification' or 'regression'"),
        ("classifier_pooling", "mean", "'cls'"),
        ("pruned_heads", {"0": [1]}, "{} or []"),
        ("use_task_id", True, "False"),
        ("rope_scaling", {"factor": 2.0}, "{}"),
        ("quantization_config", {"bits": 4}, "{}"),
        ("compression_config", {"bits": 4}, "{}"),
        ("adapters", {"a": 1}, "{}"),
        ("auto_map", {"AutoModel": "modeling.Own"}, "{}"),
        ("embedding_size", 16, "that of hidden_size, 32"),
    ],
)
def test_settings_that_change_the_numbers(name, value, supported):
    message = refusal(CONFIG | {name: value})
    assert message == f"config.json: {name} = {value!r} is not supported; supported: {supported}"


@pytest.mark.parametrize(
    "name",
    [
        *("BertForTokenClassification", "BertForQuestionAnswering", "BertForMultipleChoice", "BertLMHeadModel"),
        *("BertForNextSentencePrediction", "RobertaForCausalLM", "NewModel", "T5EncoderModel"),
    ],
)
def test_architectures_that_compute_something_else(name):
    message = refusal(CONFIG | {"architectures": [name]})
    assert message.startswith(f"config.json: architectures = '{name}' is not supported; supported: those of bert, ")


def test_settings_that_change_nothing():
    """Each at the value that means what is computed."""
    plain = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}
    plain |= {"problem_type": "single_label_classification", "pruned_heads": {}, "quantization_config": None}
    plain |= {"architectures": ["BertForMaskedLM"], "embedding_size": 32, "torch_dtype": "float16", "num_labels": 7}
    plain |= {"hidden_dropout_prob": 0.5, "id2label": {"5": "ignored without a classifier"}}
    tensors = random_tensors()
    np.testing.assert_array_equal(Encoder(CONFIG | plain, tensors)([1, 2]), Encoder(CONFIG, tensors)([1, 2]))


def test_epsilon_counts():
    tensors = random_tensors()
    far = Encoder(CONFIG | {"layer_norm_eps": 0.1}, tensors)([1, 2]) - Encoder(CONFIG, tensors)([1, 2])
    assert np.abs(far).max() > 0.01


# -- labels -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id2label": ["no", "yes"]}, "config.json: id2label = ['no', 'yes'] is not legal; legal: {\"0\": name of"),
        ({"id2label": {}}, 'config.json: id2label has the keys []; legal: the keys "0" to "1"'),
        ({"id2label": {"0": "no"}}, 'config.json: id2label has the keys [\'0\']; legal: the keys "0" to "1", one for'),
        ({"id2label": {"1": "no", "2": "yes"}}, "config.json: id2label has the keys ['1', '2']; legal: the keys"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "config.json: id2label has the keys ['0', '1', '2']; legal"),
        ({"id2label": {"no": 0, "yes": 1}}, "config.json: id2label has the keys ['no', 'yes']; legal: the keys"),
        ({"id2label": {"0": "No", "1": "no"}}, "config.json: id2label gives the name 'No' to more than one class"),
        ({"num_labels": 3}, "config.json: num_labels = 3, but the classifier has 2"),
    ],
)
def test_labels(change, message):
    assert refusal(CONFIG | change, n_labels=2).startswith(message)


def test_names_of_labels_that_are_numbers():
    """Of Python, or of JSON."""
    for names in ({1: "yes", 0: "no"}, {"1": "yes", "0": "no"}):
        assert Encoder(CONFIG | {"id2label": names}, random_tensors(n_labels=2)).labels == ("no", "yes")
    assert Encoder(CONFIG | {"id2label": {"0": 7, "1": 8}}, random_tensors(n_labels=2)).labels == ("7", "8")


def test_outputs_that_do_not_fit_the_problem():
    for n_labels, kind in ((2, "regression"), (1, "single_label_classification")):
        message = f"classifier.weight has {n_labels} outputs, which problem_type = {kind!r} does not fit"
        assert refusal(CONFIG | {"problem_type": kind}, n_labels=n_labels) == message


def test_a_classifier_that_is_not_there():
    message = refusal(CONFIG | {"architectures": ["BertForSequenceClassification"]})
    assert message == ("tensors do not fit config.json: classifier.weight is missing, which architectures asks for")


# -- tensors ----------------------------------------------------------------------------------------------------------
def changed(**changes):
    """Tensors of the model; those that change to None are left out."""
    return {name: x for name, x in (random_tensors() | changes).items() if x is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({QUERY: None}, f"tensors do not fit config.json: {QUERY} is missing"),
        ({QUERY: np.ones((32, 31))}, f"tensors do not fit config.json: {QUERY} has shape (32, 31), not (32, 32)"),
        ({QUERY: np.ones((32, 32), np.int8)}, f"model.safetensors: {QUERY} holds int8, not floating-point numbers;"),
        ({QUERY: np.ones((32, 32), np.uint8)}, f"model.safetensors: {QUERY} holds uint8, not floating-point numbers;"),
        ({QUERY: np.ones((32, 32), bool)}, f"model.safetensors: {QUERY} holds bool, not floating-point numbers;"),
        ({QUERY: np.full((32, 32), np.nan)}, f"model.safetensors: {QUERY} holds NaN, infinity or what float32 does"),
        ({QUERY: np.diag([np.inf] * 32)}, "or what float32 does not, in 32 of 1024 places"),
        ({QUERY: np.full((32, 32), 1e300)}, "or what float32 does not, in 1024 of 1024 places"),
        ({"fc.weight": np.ones(3)}, "model.safetensors holds tensors that would not be computed: fc.weight"),
        (
            {"encoder.layer.0.attention.self.distance_embedding.weight": np.ones(3)},
            "would not be computed: encoder.layer.0.attention.self.distance_embedding.weight",
        ),
        (
            {QUERY.replace("weight", "lora_A.default.weight"): np.ones((4, 32))},
            "lora_A.default.weight; merge the adapters into the weights first",
        ),
        (
            {QUERY: None, QUERY.replace("weight", "qweight"): np.ones((4, 32), np.int32)},
            f"{QUERY} is missing; model.safetensors has, instead, {QUERY.replace('weight', 'qweight')}",
        ),
        ({QUERY + "_scale": np.ones(1)}, f"would not be computed: {QUERY}_scale"),
        ({f"bert.{QUERY}": np.ones((32, 32))}, "would not be computed: bert."),
        (
            {"embeddings.LayerNorm.gamma": np.ones(32)},
            "holds one tensor under two names: embeddings.LayerNorm.weight and embeddings.LayerNorm.gamma",
        ),
        (
            {"teacher.embeddings.word_embeddings.weight": np.ones((20, 32))},
            "model.safetensors holds 2 encoders, whose names begin with '', 'teacher.'; legal: one",
        ),
    ],
)
def test_tensors(changes, message):
    assert message in refusal(CONFIG, changed(**changes))


def test_many_missing_tensors_are_counted():
    words = "embeddings.word_embeddings.weight"
    message = refusal(CONFIG, {words: random_tensors()[words]})
    assert message.endswith("; encoder.layer.1.attention.self.query.bias is missing; and 28 more")


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["bert/embeddings/word", "bert/pooler"], "; it has bert/embeddings/word; bert/pooler"),
        (["net.words.weight", "net.query.weight"], "; all names there begin with 'net.'; it has net.query.weight; net"),
        ([], "; it has no tensors"),
    ],
)
def test_other_names(names, hint):
    message = refusal(CONFIG, {name: np.ones(1) for name in names})
    start = "tensors do not fit config.json: embeddings.word_embeddings.weight is missing in model.safetensors"
    assert message.startswith(start + hint)


@pytest.mark.parametrize(
    ("n_layers", "message"),
    [
        (1, "config.json: num_hidden_layers = 1, but model.safetensors has 2 layers"),
        (3, "tensors do not fit config.json: encoder.layer.2.attention.self.query.weight is missing; "),
    ],
)
def test_number_of_layers(n_layers, message):
    assert refusal(CONFIG | {"num_hidden_layers": n_layers}, random_tensors()).startswith(message)


def test_token_classification_of_roberta():
    """Its classifier has the name of BERT's, so that it would pass for none."""
    config = CONFIG | {"model_type": "roberta"}
    message = refusal(config, random_tensors(config) | {"classifier.weight": np.ones((3, 32))})
    assert message == "model.safetensors holds tensors that would not be computed: classifier.weight"


def test_overflow_on_the_way(tmp_path):
    """Weights that are finite, and outputs that are not."""
    tensors = random_tensors() | {"encoder.layer.0.intermediate.dense.weight": np.full((48, 32), 3e38, np.float32)}
    model = load_model(str(write_model(tmp_path / "huge", tensors=tensors)))
    with pytest.raises(ModelError, match="huge: an output is not finite; numbers on the way overflow float32"):
        model.run([[1, 2, 3]])


def test_inputs_that_do_not_fit():
    for tokens in ([], [1] * 25):
        with pytest.raises(ModelError, match=f"{len(tokens)} tokens; legal: 1 to 24"):
            Encoder(CONFIG, random_tensors())(tokens)
    with pytest.raises(ModelError, match=r"images of shape \(3, 6, 8\); legal: \(3, 6, 6\)"):
        Encoder(VIT, random_tensors(VIT))(np.ones((3, 6, 8)))


def test_file_and_folder_are_named(tmp_path):
    """Both where the setting is wrong and where a tensor is."""
    folder = write_model(tmp_path)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"is_decoder": True}))
    with pytest.raises(ModelError, match=f"^{tmp_path}: config.json: is_decoder = True is not supported"):
        load_model(str(folder))
    write_model(tmp_path, tensors=changed(**{QUERY: np.full((32, 32), np.nan)}))
    with pytest.raises(ModelError, match=f"^{tmp_path}: model.safetensors: {QUERY} holds NaN"):
        load_model(str(folder))
