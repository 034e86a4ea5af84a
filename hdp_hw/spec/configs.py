"""Named configurations, and how a configuration is read from a TOML file or from NAME=VALUE overrides."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any
from zlib import crc32

from hdp_hw.spec.failure import FileError
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.text_file import read_toml

CONFIGS = {
    "tiny": HdpParams(tile=2, lanes=16, digit_width=4, max_head_dim=32, max_seq_len=128, multiplier=18),
    "edge": HdpParams(tile=4, lanes=32, digit_width=4, max_head_dim=64, max_seq_len=512, multiplier=18),
    "large": HdpParams(tile=8, lanes=32, digit_width=4, max_head_dim=128, max_seq_len=1024, multiplier=18),
    "server": HdpParams(tile=4, lanes=64, digit_width=8, max_head_dim=128, max_seq_len=1024),
    "paper": HdpParams(tile=2, lanes=16, digit_width=4, max_head_dim=32, max_seq_len=128),
}

PURPOSE = {
    "tiny": "16 multipliers: fits a small FPGA and simulates in seconds; the regression runs on it",
    "edge": "128 multipliers, 512 digit products a cycle, for an ECP5-85 class FPGA",
    "large": "512 multipliers, 2048 digit products a cycle, for a larger FPGA",
    "server": "16-bit operands, 1024 8 x 8-bit digit multipliers",
    "paper": "tiny with 64 digit multipliers in logic, and the paper's approximated score",
}

NAMES = tuple(field.name for field in fields(HdpParams))  #: of all parameters


def load_config(name: str, overrides: Iterable[tuple[str, str]] = ()) -> tuple[str, HdpParams]:
    """Parameters of a named configuration or a TOML file, with ``("tile", "4")`` style overrides applied.

    Returns ``(label, HdpParams)``; the label names the build folder and what is made. Raises ParameterError.
    """
    values: dict[str, Any]
    if name in CONFIGS:
        label, values, source = name, vars_of(CONFIGS[name]), ""
    elif name.lower().endswith(".toml"):
        label, values, source = label_of(Path(name).stem), _read(name), f" (in {name})"
    else:
        raise ParameterError("CONFIG", name, f"{', '.join(CONFIGS)} or a path that ends in .toml")
    changes = _changes(overrides)
    try:
        params = HdpParams(**values | changes)
    except ParameterError as error:
        where = source if error.name in values and error.name not in changes else ""
        raise ParameterError(error.name, error.value, error.legal + where) from None
    return "-".join([label, *(f"{key}{value}" for key, value in changes.items())]), params


def label_of(name: str) -> str:
    """``name`` where it has letters of ASCII, digits, ``_``, ``.`` and ``-`` only, which all tools take.

    Other characters are replaced, and a digest tells names apart that come out the same.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    label = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain)[:80].strip("._-") or "core"
    return label if label == name else f"{label}-{crc32(name.encode('utf-8', 'surrogateescape')):08x}"


def known(name: str, value: Any) -> str:
    """The parameter of a name, in upper case or lower. Raises ParameterError, with the name that may be meant."""
    if name.lower() in NAMES:
        return name.lower()
    near = difflib.get_close_matches(name.lower(), NAMES, 1)
    hint = f", perhaps {near[0]}" if near else ""
    raise ParameterError(name, value, f"one of the parameters {', '.join(NAMES)}{hint}")


def _read(path: str) -> dict[str, Any]:
    """Values of a TOML file."""
    try:
        content = read_toml(path)
    except (OSError, FileError) as error:
        raise ParameterError("CONFIG", path, f"a readable TOML file ({error})") from None
    values = {}
    for name, value in content.items():
        try:
            key = known(name, value)
        except ParameterError as error:
            raise ParameterError(name, value, f"{error.legal} (in {path})") from None
        if key in values:
            raise ParameterError(key, value, f"one value; it has two (in {path})")
        values[key] = value
    return values


def _changes(overrides: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Values of overrides."""
    changes: dict[str, int] = {}
    for name, text in overrides:
        key = known(name, text)
        try:
            value = int(text)
        except ValueError:
            raise ParameterError(key, text, "an integer") from None
        if changes.setdefault(key, value) != value:
            raise ParameterError(key, text, f"one value; {changes[key]} is given too")
    return changes


def vars_of(params: HdpParams) -> dict[str, int]:
    """The parameters as a plain dictionary, in the order of their definition."""
    return {field.name: getattr(params, field.name) for field in fields(HdpParams)}
