"""Weights of a folder: safetensors, in one file or in shards, of every floating-point type."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.spec.failure import FileError
from hdp_hw.spec.text_file import LFS_POINTER, read_json
from hdp_hw.study.models.errors import ModelError, listed

EXTRA = "the `models` extra is not installed"
FILE = "model.safetensors"
INDEX = f"{FILE}.index.json"
#: Weights in formats that are not read.
OTHERS = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "tf_model*.h5", "flax_model.msgpack", "*.gguf", "*.onnx")
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_INTEGERS = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "IU" for size in (8, 4, 2, 1)}
_TYPES = _FLOATS | _INTEGERS | {"BOOL": "?"}


def read_weights(directory: Path) -> tuple[dict[str, np.ndarray], str]:
    """``({name: array}, name of the file)``; bfloat16 and float8 come as float32, exactly. Raises ModelError."""
    if (directory / FILE).is_file():
        return _read(directory / FILE), FILE
    if not (directory / INDEX).is_file():
        raise ModelError(_what_is_missing(directory))
    shards, tensors = _shards(directory / INDEX), {}
    for shard, names in shards.items():
        path = directory / shard
        if not path.is_file():
            raise ModelError(f"{path} is missing, which {INDEX} names")
        of_shard = _read(path)
        if missing := sorted(names - {*of_shard}):
            raise ModelError(f"{path} lacks tensors that {INDEX} finds there: {listed(missing)}")
        if twice := sorted({*of_shard} & {*tensors}):
            raise ModelError(f"{path} holds tensors that another shard of {INDEX} holds too: {listed(twice)}")
        tensors |= of_shard
    return tensors, INDEX


def _shards(index: Path) -> dict[str, set[str]]:
    """``{file: names of its tensors}``."""
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(file, str) for file in names.values()):
        raise ModelError(f"{index}: weight_map is not legal; legal: {{name of a tensor: name of a file, ...}}")
    shards: dict[str, set[str]] = {}
    for name, file in names.items():
        shards.setdefault(file, set()).add(name)
    return shards


def _read(path: Path) -> dict[str, np.ndarray]:
    """Tensors of one file."""
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError:
        raise ModelError(f"safetensors cannot be imported: {EXTRA}") from None
    data = path.read_bytes()
    if not data:
        raise ModelError(f"{path} is empty")
    if data.startswith(LFS_POINTER):
        raise ModelError(f"{path} is a Git LFS pointer, not the weights; run `git lfs pull` in its folder")
    if data.startswith((b"PK\x03\x04", b"\x80\x02")):
        raise ModelError(f"{path} is a file of torch.save, not of safetensors; {_convert(path.parent)}")
    try:
        tensors = deserialize(data)
    except SafetensorError as error:
        raise ModelError(f"{path} is cut off or damaged ({error})") from None
    return {name: _array(path, name, tensor) for name, tensor in tensors}


def _array(path: Path, name: str, tensor: dict[str, Any]) -> np.ndarray:
    """The numbers of a tensor as the file has them."""
    kind, shape, data = tensor["dtype"], tensor["shape"], tensor["data"]
    if kind == "BF16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    if kind == "F8_E5M2":  # the upper half of a float16
        halves = np.frombuffer(data, "u1").astype(np.uint16) << 8
        return halves.view(np.float16).astype(np.float32).reshape(shape)
    if kind == "F8_E4M3":
        return _E4M3[np.frombuffer(data, "u1")].reshape(shape)
    if kind not in _TYPES:
        raise ModelError(f"{path}: {name} is of type {kind}; supported: BF16, F8_E4M3, F8_E5M2, {', '.join(_TYPES)}")
    return np.frombuffer(data, _TYPES[kind]).reshape(shape)


def _e4m3() -> np.ndarray:
    """The number of each byte: a sign, 4 bits of exponent, 3 bits of mantissa; no infinity."""
    code = np.arange(256)
    exponent, mantissa = code >> 3 & 15, code & 7
    magnitude = np.where(exponent, np.ldexp(8.0 + mantissa, exponent - 10), np.ldexp(1.0 * mantissa, -9))
    magnitude[code & 127 == 127] = np.nan
    return np.where(code < 128, magnitude, -magnitude).astype(np.float32)


_E4M3 = _e4m3()


def _what_is_missing(directory: Path) -> str:
    """What to say of a folder without weights that can be read."""
    if (directory / FILE).is_symlink():
        return f"{directory / FILE} is a link to what does not exist"
    own = sorted(path.name for path in directory.glob("*.safetensors"))
    if own:
        return f"{directory / FILE} is missing, and {INDEX} too; the folder has {listed(own, 3)}"
    found = sorted(path.name for pattern in OTHERS for path in directory.glob(pattern))
    if found:
        return f"{directory / FILE} is missing; {listed(found, 3)} cannot be read; {_convert(directory)}"
    return f"{directory / FILE} is missing"


def _convert(directory: Path) -> str:
    """How to write the weights as safetensors."""
    try:
        names = json.dumps(read_json(directory / "config.json").get("architectures"))
    except (FileError, OSError):
        names = ""
    kind = names[2:-2] if names[2:-2].isidentifier() else "AutoModel"
    code = f"from transformers import {kind} as M; M.from_pretrained('.').save_pretrained('.')"
    return f'to write {FILE}, run in the folder: python -c "{code}"'
