"""Folders of models: where the encoder lies, and what stands beside it that would change the numbers."""

from pathlib import Path
from typing import Any

from hdp_hw.spec.text_file import read_json
from hdp_hw.study.models.errors import ModelError

_COMPUTED = ("Transformer", "Pooling", "Normalize")  #: modules of sentence-transformers
_SUFFIXES = (".json", ".safetensors", ".npz")  #: of all files that are read


def open_folder(directory: Path) -> Path:
    """The folder with the encoder's files: ``directory``, or what its own files refer to. Raises ModelError.

    The cache of Hugging Face keeps folders in ``snapshots``; sentence-transformers lists its modules in
    ``modules.json``, of which an encoder whose outputs are averaged is supported.
    """
    directory = _snapshot(directory)
    if (directory / "adapter_config.json").exists():
        raise ModelError(f"{directory}/adapter_config.json: adapters are not supported; merge them into the weights")
    prompts = directory / "config_sentence_transformers.json"
    if prompts.is_file() and (name := read_json(prompts).get("default_prompt_name")) is not None:
        raise ModelError(f"{prompts}: default_prompt_name = {name!r} is not supported; supported: none")
    for path in sorted(directory.glob("*_Pooling/config.json")):
        _check_pooling(path)
    return _transformer(directory)


def model_files(directory: Path) -> list[Path]:
    """Files of a model's folder that a result may depend on; what is hidden, such as ``.git``, is left out."""
    directory = _snapshot(directory)
    found = [path for pattern in ("*", "*/*") for path in directory.glob(pattern)]
    visible = [path for path in found if not any(part.startswith(".") for part in path.relative_to(directory).parts)]
    return sorted(path for path in visible if path.suffix in _SUFFIXES and path.is_file())


def lower_case(directory: Path) -> bool:
    """Whether sentence-transformers puts texts into lower case before the tokenizer does what it does."""
    return any(read_json(path).get("do_lower_case") for path in sorted(directory.glob("sentence_*_config.json")))


def file_of(directory: Path, name: str) -> Path:
    """The path of a file that must be there. Raises ModelError."""
    path = directory / name
    if not path.is_file():
        state = "is a link to what does not exist" if path.is_symlink() else "is missing"
        raise ModelError(f"{path} {state}")
    return path


def _snapshot(directory: Path) -> Path:
    """The snapshot that a folder of Hugging Face's cache means, or the folder itself."""
    snapshots = directory / "snapshots"
    if (directory / "config.json").exists() or not snapshots.is_dir():
        return directory
    main = directory / "refs" / "main"
    names = (
        [main.read_text(encoding="utf-8").strip()] if main.is_file() else [path.name for path in snapshots.iterdir()]
    )
    if len(names) != 1 or not (snapshots / names[0]).is_dir():
        raise ModelError(f"{snapshots} does not hold the one snapshot that is meant; give its folder")
    return snapshots / names[0]


def _transformer(directory: Path) -> Path:
    """The folder of the encoder among the modules of sentence-transformers."""
    path = directory / "modules.json"
    if not path.is_file():
        return directory
    places = []
    for module in read_json(path, list):
        kind, place = (module.get(name) if isinstance(module, dict) else None for name in ("type", "path"))
        if not isinstance(kind, str) or not isinstance(place, str):
            raise ModelError(f"{path}: a module is not legal; legal: an object with type and path")
        name = kind.rpartition(".")[2]
        if name not in _COMPUTED:
            raise ModelError(f"{path}: the module {place} is {kind}, which is not computed; computed: {_COMPUTED}")
        if name == "Transformer":
            places.append(directory / place)
        elif name == "Pooling":
            _check_pooling(file_of(directory / place, "config.json"))
    if len(places) != 1:
        raise ModelError(f"{path} lists {len(places)} modules of type Transformer; legal: 1")
    return places[0]


def _check_pooling(path: Path) -> None:
    """Raise ModelError unless the mean of all positions is the output."""
    options: dict[str, Any] = read_json(path)
    flags = {"pooling_mode_mean_tokens": True} | {
        name: value for name, value in options.items() if name.startswith("pooling_mode_")
    }
    modes = [name for name, value in flags.items() if value]
    if (mode := options.get("pooling_mode")) is not None:
        modes = ["pooling_mode_mean_tokens"] if mode in ("mean", ["mean"]) else [f"pooling_mode = {mode!r}"]
    if modes != ["pooling_mode_mean_tokens"]:
        raise ModelError(
            f"{path}: {', '.join(modes) or 'no pooling'} is not supported; supported: the mean of all tokens"
        )
