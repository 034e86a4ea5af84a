"""Settings of ``config.json``: sizes, and what would change the numbers without being computed."""

import math
import re
import reprlib
from typing import Any

from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.models.functions import ACTIVATIONS
from hdp_hw.study.models.layouts import LAYOUTS, Layout

#: ``{setting that changes what a model computes: values under which it is what is computed here}``.
PLAIN: dict[str, tuple[Any, ...]] = {
    "position_embedding_type": (None, "absolute"),
    "relative_attention": (None, False),
    "is_decoder": (None, False),
    "is_encoder_decoder": (None, False),
    "add_cross_attention": (None, False),
    "problem_type": (None, "single_label_classification", "regression"),
    "classifier_pooling": (None, "cls"),
    "pruned_heads": (None, {}, []),
    "qkv_bias": (None, True),
    "use_task_id": (None, False),
    "rope_scaling": (None, {}),
    "quantization_config": (None, {}),
    "compression_config": (None, {}),
    "adapters": (None, {}),
    "auto_map": (None, {}),  # the model's own code
}
ARCHITECTURES = re.compile(
    "(Bert|Camembert|Data2VecText|DistilBert|Electra|Roberta|ViT|XLMRoberta)"
    "(Model|ForMaskedLM|ForPreTraining|ForMaskedImageModeling|ForSequenceClassification|ForImageClassification)"
)
CLASSIFIERS = ("ForSequenceClassification", "ForImageClassification")  #: ends of the architectures that have one
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
#: ``{size: largest}``, so that a slip of the pen does not fill the memory.
LARGEST = {"n_layers": 1024, "n_heads": 1024, "image_size": 1 << 14, "channels": 1 << 10}


def read_config(config: dict[str, Any]) -> tuple[Layout, dict[str, Any]]:
    """``(Layout, {setting: value})`` of a config.json. Raises ModelError."""
    kind = _setting(config, "model_type")
    if not isinstance(kind, str) or kind not in LAYOUTS:
        raise _unsupported("model_type", kind, ", ".join(LAYOUTS))
    layout = LAYOUTS[kind]
    _check_plain(config)
    sizes = {own: _size(own, name, _setting(config, name)) for own, name in layout.settings.items()} | layout.fixed
    for part, whole in (("n_heads", "hidden_size"), ("patch_size", "image_size")):
        if part in sizes and sizes[whole] % sizes[part]:
            name, of = layout.settings[whole], layout.settings[part]
            raise _illegal(name, sizes[whole], f"a multiple of {of} = {sizes[part]}")
    if config.get("embedding_size", sizes["hidden_size"]) != sizes["hidden_size"]:
        raise _unsupported("embedding_size", config["embedding_size"], f"that of hidden_size, {sizes['hidden_size']}")
    if "pad_token_id" in config and sizes.get("first_position"):
        sizes["first_position"] = _whole("pad_token_id", config["pad_token_id"], 0) + 1
    if sizes.get("positions", math.inf) <= (first := sizes.get("first_position", 0)):
        raise _illegal(layout.settings["positions"], sizes["positions"], f"above {first}, where positions begin")
    return layout, sizes


def labels_of(config: dict[str, Any], n_labels: int) -> tuple[str, ...]:
    """Names of the classes by their numbers. Raises ModelError."""
    names, n_said = config.get("id2label"), config.get("num_labels")
    if n_said is not None and n_said != n_labels:
        raise ModelError(f"config.json: num_labels = {n_said!r}, but the classifier has {n_labels}")
    if names is None:
        return tuple(f"LABEL_{index}" for index in range(n_labels))
    if not isinstance(names, dict):
        raise _illegal("id2label", names, '{"0": name of class 0, "1": ...}')
    by_number = {str(key): name for key, name in names.items()}
    if {*by_number} != {str(index) for index in range(n_labels)}:
        legal = f'the keys "0" to "{n_labels - 1}", one for each output of the classifier'
        raise ModelError(f"config.json: id2label has the keys {_SHORT.repr([*names])}; legal: {legal}")
    labels = tuple(str(by_number[str(index)]) for index in range(n_labels))
    folded = [label.lower() for label in labels]
    if twice := next((label for label in labels if folded.count(label.lower()) > 1), None):
        raise ModelError(f"config.json: id2label gives the name {twice!r} to more than one class")
    return labels


def is_classifier(config: dict[str, Any]) -> bool:
    """Whether ``architectures`` says that there is a classifier."""
    return any(name.endswith(CLASSIFIERS) for name in config.get("architectures") or ())


def _check_plain(config: dict[str, Any]) -> None:
    """Raise ModelError for a setting that asks for what is not computed."""
    for name, legal in PLAIN.items():
        if config.get(name) not in legal:
            supported = " or ".join(repr(value) for value in legal if value is not None)
            raise _unsupported(name, config[name], supported or "none")
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _illegal("architectures", names, "a list of names")
    for name in names:
        if not ARCHITECTURES.fullmatch(name):
            ends = "Model, -ForMaskedLM, -ForPreTraining, -ForSequenceClassification and -ForImageClassification"
            raise _unsupported("architectures", name, f"those of {', '.join(LAYOUTS)} that end in -{ends}")


def _size(own: str, name: str, value: Any) -> Any:
    """A setting of the model, checked."""
    if own == "activation":
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise _unsupported(name, value, ", ".join(ACTIVATIONS))
        return value
    if own == "epsilon":
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < 1:
            raise _illegal(name, value, "a number between 0 and 1")
        return value
    if own in ("image_size", "patch_size") and isinstance(value, list):
        if len(value) != 2 or value[0] != value[1]:
            raise _unsupported(name, value, "a number, or [height, width] of a square")
        value = value[0]
    return _whole(name, value, 1, LARGEST.get(own, 1 << 24))


def _whole(name: str, value: Any, lowest: int, highest: int = 1 << 24) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise _illegal(name, value, f"a whole number from {lowest} to {highest}")
    return value


def _setting(config: dict[str, Any], name: str) -> Any:
    if name not in config:
        raise ModelError(f"config.json: {name} is missing")
    return config[name]


def _illegal(name: str, value: Any, legal: str) -> ModelError:
    return ModelError(f"config.json: {name} = {_SHORT.repr(value)} is not legal; legal: {legal}")


def _unsupported(name: str, value: Any, supported: str) -> ModelError:
    return ModelError(f"config.json: {name} = {_SHORT.repr(value)} is not supported; supported: {supported}")
