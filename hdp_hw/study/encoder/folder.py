"""Folders of compiled models: the image, and what stays with the host: tokenizer, embeddings, classifier."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw import __version__
from hdp_hw.encoder.compiled_model import CompiledModel
from hdp_hw.encoder.image import Image
from hdp_hw.encoder.model import IntegerModel
from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.failure import FileError
from hdp_hw.spec.output_file import write
from hdp_hw.spec.text_file import read_json
from hdp_hw.study.encoder.integer import words_of
from hdp_hw.study.models import Encoder, Model
from hdp_hw.study.models.checkpoint import model_of

FORMAT = 1
IMAGE, ABOUT, HEADER, HOST = "image.bin", "model.json", "model.h", "host.npz"
READERS = ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "sentence_*_config.json")
#: ``{key of model.json that is read: type of its value}``
NEEDED = {"model": str, "units": dict, "n_labels": int, "config": dict, "sha256": dict}
HOST_MODULES = ("words", "positions", "types", "patches", "class_token", "pooler", "classifier")


class CompiledEncoder(Encoder):
    """An Encoder whose layers run on a co-processor, by one start for an input; the rest stays in float.

    Parameters
    ----------
    folder : CompiledFolder
    compiled : CompiledModel
    """

    def __init__(self, folder: "CompiledFolder", compiled: CompiledModel) -> None:
        self._open(folder.about["config"], folder.tensors, folder.about["n_labels"])
        self.units, self.compiled = folder.about["units"], compiled

    def __call__(self, inputs: Any, attention: None = None) -> np.ndarray:
        """Hidden states as of :class:`hdp_hw.study.models.Encoder`; of a classifier, [..., 1, hidden_size]."""
        words = words_of(self.embed(inputs), self.units["embedding"])
        batch = words.reshape(-1, *words.shape[-2:])
        hidden = np.stack([self.compiled(each) for each in batch]) * self.units["hidden"]
        return hidden.astype(np.float32).reshape(*words.shape[:-2], *hidden.shape[1:])


@dataclass(frozen=True, eq=False)
class CompiledFolder:
    """What a folder holds. about : contents of model.json; tensors : of the host, by the Encoder's names."""

    path: Path
    image: Image
    about: Mapping[str, Any]
    tensors: dict[str, np.ndarray]

    def model(self, compiled: CompiledModel) -> Model:
        """The Model that runs on a co-processor. Raises ModelError."""
        return model_of(self.about["model"], CompiledEncoder(self, compiled), self.path)


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder of a compiled model, sound or not."""
    return (Path(path) / IMAGE).exists() and (Path(path) / ABOUT).exists()


def read_folder(path: str | Path) -> CompiledFolder:
    """The CompiledFolder. Raises FileError, ImageError, OSError."""
    path = Path(path)
    about = read_json(path / ABOUT)
    if about.get("format") != FORMAT:
        raise FileError(f"{path / ABOUT}: format = {about.get('format')!r} is not legal; legal: {FORMAT}")
    image = Image.of((path / IMAGE).read_bytes(), str(path / IMAGE))
    if missing := [name for name in NEEDED if not isinstance(about.get(name), NEEDED[name])]:
        raise FileError(f"{path / ABOUT} has no {', '.join(missing)}: compile the model again")
    content = {name: (path / name).read_bytes() for name in about["sha256"]}
    for name, data in content.items():
        if hashlib.sha256(data).hexdigest() != about["sha256"][name]:
            raise FileError(f"{path / name} is not the file that {path / ABOUT} belongs to: compile the model again")
    with np.load(io.BytesIO(content[HOST])) as file:
        return CompiledFolder(path, image, about, dict(file))


def write_folder(
    path: Path, image: Image, model: Model, source: Path, integer: IntegerModel, more: Mapping[str, Any]
) -> None:
    """Write a folder, model.json last.

    model : that was compiled; source : its own folder; more : facts for model.json. Raises OSError.
    """
    encoder, host = model.encoder, io.BytesIO()
    np.savez(host, **{name: x for name, x in encoder.tensors.items() if name.partition(".")[0] in HOST_MODULES})
    files = {each.name: each.read_bytes() for pattern in READERS for each in sorted(source.glob(pattern))}
    files |= {IMAGE: image.data.tobytes(), HOST: host.getvalue()}
    about = {
        "format": FORMAT,
        "version": __version__,
        "model": model.name,
        "parameters": vars_of(image.params),
        "image": dict(image.header),
        "chains": image.chains,
        "bytes": dict(image.kinds),
        "units": {"embedding": integer.embedding_unit, "hidden": integer.hidden_unit},
        "layers": encoder.n_layers,
        "heads": encoder.n_heads,
        "n_labels": encoder.n_labels,
        "config": encoder.config,
        **more,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    for name, data in files.items():
        write(path / name, data)
    write(path / HEADER, c_header(image, model.name, about["units"]))
    write(path / ABOUT, json.dumps(about, indent=1) + "\n")


def c_header(image: Image, name: str, units: Mapping[str, float]) -> str:
    """What a program in C needs to know of an image before it reads it."""
    of = image.header
    macros = {
        "IMAGE_BYTES": f"{of['image_bytes']}u",
        "MEMORY_BYTES": f"{of['memory_bytes']}u",
        "FEATURES": f"{of['features']}u",
        "MAX_TOKENS": f"{of['max_tokens']}u",
        "RESULTS": f"{of['results']}u",
        "EMBEDDING_UNIT": f"{units['embedding']!r}",
        "HIDDEN_UNIT": f"{units['hidden']!r}",
    }
    remarks = {
        "MEMORY_BYTES": "Of the buffer: the image, and the rows that its jobs work on.",
        "FEATURES": "Words of a row.",
        "RESULTS": "Rows of hidden states; 0: as many as tokens.",
        "EMBEDDING_UNIT": "Of a word of the embeddings, which are words * unit.",
        "HIDDEN_UNIT": "Likewise of the hidden states.",
    }
    lines = [f"/* {name}, compiled to {IMAGE} by hdp-hw compile. */", "#ifndef MODEL_H", "#define MODEL_H", ""]
    for macro, value in macros.items():
        remark = f" /* {remarks[macro]} */" if macro in remarks else ""
        lines.append(f"#define {'MODEL_' + macro:22} {value}{remark}")
    return "\n".join([*lines, "", "#endif", ""])
