"""Tensors of a checkpoint: what they are called, which shapes they have, and which of a file's are they."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hdp_hw.study.models.config import is_classifier, read_config
from hdp_hw.study.models.errors import ModelError, listed
from hdp_hw.study.models.layouts import LAYOUTS, Layout

_TABLES = ("words", "types")  #: modules without a bias
_BARE = ("class_token", "positions")  #: of images: modules that are a tensor
#: What PyTorch's wrappers put into names, anywhere.
_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
#: Beginnings of the names of what the outputs do not depend on: heads of pre-training, poolers, buffers.
_UNUSED = (
    *("cls.", "lm_head.", "generator_predictions.", "generator_lm_head.", "discriminator_predictions."),
    *("vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "decoder.", "pooler."),
    *("embeddings.position_ids", "embeddings.token_type_ids", "embeddings.mask_token"),
)


def tensor_names(config: dict[str, Any], n_labels: int = 0) -> dict[str, tuple[str, tuple[int, ...]]]:
    """``{tensor: (name in the checkpoint, shape)}`` of what a model needs; ``n_labels`` of its classifier, 0: none."""
    layout, sizes = read_config(config)
    hidden, inner = sizes["hidden_size"], sizes["inner_size"]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("query", "key", "value", "context", "pooler"), (hidden, hidden))
    shapes |= {"inner": (inner, hidden), "outer": (hidden, inner), "classifier": (n_labels, hidden)}
    shapes |= dict.fromkeys(("norm", "context_norm", "outer_norm"), (hidden,))
    if layout.images:
        patch, n = sizes["patch_size"], (sizes["image_size"] // sizes["patch_size"]) ** 2 + 1
        shapes |= {"patches": (hidden, sizes["channels"], patch, patch), "positions": (1, n, hidden)}
        shapes |= {"class_token": (1, 1, hidden)}
    else:
        shapes |= {"words": (sizes["vocabulary"], hidden), "positions": (sizes["positions"], hidden)}
        shapes |= {"types": (sizes.get("types"), hidden)}
    tensors = {}
    for module, name in layout.modules.items():
        if module in ("pooler", "classifier") and not n_labels:
            continue
        for layer in range(sizes["n_layers"]) if "{}" in name else [None]:
            own, full = (module, name) if layer is None else (f"{layer}.{module}", name.format(layer))
            bare = layout.images and module in _BARE
            tensors[f"{own}.weight"] = (full if bare else f"{full}.weight", shapes[module])
            if not bare and module not in (*_TABLES, "positions"):
                tensors[f"{own}.bias"] = (f"{full}.bias", shapes[module][:1])
    return tensors


def fit(config: dict[str, Any], tensors: Mapping[str, np.ndarray], source: str) -> tuple[dict[str, np.ndarray], int]:
    """``({tensor: array in float32}, n_labels)`` of the tensors of a checkpoint, ``source``. Raises ModelError.

    What names begin with, such as ``bert.`` or ``module.``, is dropped where there is one encoder only.
    """
    layout, sizes = read_config(config)
    plain = _plain_names(tensors, layout, source)
    n_labels = _n_labels(config, {name: tensors[given] for name, given in plain.items()}, layout)
    names = tensor_names(config, n_labels)
    needed = dict(names.values())
    _check_layers(plain, layout, sizes, source)
    wrong = [f"{name} is missing" for name in needed if name not in plain]
    wrong += [
        f"{name} has shape {tensors[plain[name]].shape}, not {shape}"
        for name, shape in needed.items()
        if name in plain and tensors[plain[name]].shape != shape
    ]
    others = [plain[name] for name in plain if name not in needed and not name.startswith(_UNUSED)]
    if wrong:
        hint = f"; {source} has, instead, {listed(others, 3)}" if others else ""
        raise ModelError(f"tensors do not fit config.json: {listed(wrong)}{hint}")
    if others:
        hint = "; merge the adapters into the weights first" if any("lora_" in name for name in others) else ""
        raise ModelError(f"{source} holds tensors that would not be computed: {listed(others)}{hint}")
    return {own: _numbers(plain[name], tensors[plain[name]], source) for own, (name, _) in names.items()}, n_labels


def _plain_names(names: Iterable[str], layout: Layout, source: str) -> dict[str, str]:
    """``{name as the layout has it: name in the file}``."""
    present = {name: _present(name) for name in names}
    anchor = layout.modules["class_token"] if layout.images else f"{layout.modules['words']}.weight"
    ends = [name for name in present.values() if f".{name}".endswith(f".{anchor}")]
    prefixes = sorted({name.removesuffix(anchor) for name in ends})
    if not prefixes:
        firsts = {name.partition(".")[0] for name in present}
        hint = f"; all names there begin with '{min(firsts)}.'" if len(firsts) == 1 else ""
        hint += f"; it has {listed(sorted(present), 3) or 'no tensors'}"
        raise ModelError(f"tensors do not fit config.json: {anchor} is missing in {source}{hint}")
    if len(prefixes) > 1:
        texts = ", ".join(repr(prefix) for prefix in prefixes)
        raise ModelError(f"{source} holds {len(prefixes)} encoders, whose names begin with {texts}; legal: one")
    (prefix,) = prefixes
    base = next((each.prefix for each in LAYOUTS.values() if f".{prefix}".endswith(f".{each.prefix}")), "")
    outer = prefix.removesuffix(base)
    plain: dict[str, str] = {}
    for given, name in present.items():
        name = name.removeprefix(outer).removeprefix(base)
        if name in plain:
            raise ModelError(f"{source} holds one tensor under two names: {plain[name]} and {given}")
        plain[name] = given
    return plain


def _present(name: str) -> str:
    """A tensor's name without wrappers, and with the present names of normalisations."""
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _n_labels(config: dict[str, Any], tensors: Mapping[str, np.ndarray], layout: Layout) -> int:
    """Number of labels of the classifier, 0 without one."""
    name = f"{layout.modules['classifier']}.weight"
    if name not in tensors:
        if is_classifier(config):
            raise ModelError(f"tensors do not fit config.json: {name} is missing, which architectures asks for")
        return 0
    n_labels = len(tensors[name]) if tensors[name].ndim else 0
    kind = config.get("problem_type")
    if not n_labels or kind == ("regression" if n_labels > 1 else "single_label_classification"):
        raise ModelError(f"{name} has {n_labels} outputs, which problem_type = {kind!r} does not fit")
    return n_labels


def _check_layers(plain: Iterable[str], layout: Layout, sizes: dict[str, Any], source: str) -> None:
    """Raise ModelError if there are more layers than config.json says."""
    start = layout.modules["query"].partition("{}")[0]
    numbers = {name.removeprefix(start).partition(".")[0] for name in plain if name.startswith(start)}
    n_layers = 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)
    if n_layers > sizes["n_layers"]:
        name = layout.settings["n_layers"]
        raise ModelError(f"config.json: {name} = {sizes['n_layers']}, but {source} has {n_layers} layers")


def _numbers(name: str, array: np.ndarray, source: str) -> np.ndarray:
    """A tensor in float32, all of whose numbers are finite."""
    if array.dtype.kind != "f":
        raise ModelError(
            f"{source}: {name} holds {array.dtype}, not floating-point numbers; quantised weights are not supported"
        )
    with np.errstate(over="ignore"):
        values = np.asarray(array, np.float32)
    if n_bad := int((~np.isfinite(values)).sum()):
        raise ModelError(
            f"{source}: {name} holds NaN, infinity or what float32 does not, in {n_bad} of {values.size} places"
        )
    return values
