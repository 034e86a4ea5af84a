"""Named configurations, and how a configuration is read from a TOML file or from NAME=VALUE overrides."""

import tomllib
from dataclasses import fields
from pathlib import Path

from hdp_hw.spec.params import HdpParams, ParameterError

CONFIGS = {
    "tiny": HdpParams(tile=2, lanes=16, digit_width=4, max_head_dim=32, max_seq_len=128),
    "edge": HdpParams(tile=4, lanes=16, digit_width=4, max_head_dim=64, max_seq_len=512),
    "server": HdpParams(tile=4, lanes=64, digit_width=8, max_head_dim=128, max_seq_len=1024),
}

PURPOSE = {
    "tiny": "fits a small FPGA and simulates in seconds; the regression runs on it",
    "edge": "256 digit multipliers for an ECP5-85 class FPGA",
    "server": "16-bit operands, 1024 8 x 8-bit digit multipliers",
}

_FIELDS = {field.name for field in fields(HdpParams)}


def load_config(name, overrides=()):
    """Parameters of a named configuration or a TOML file, with ``("tile", "4")`` style overrides applied.

    Returns ``(label, HdpParams)``; the label names the build folder. Raises ParameterError.
    """
    if name in CONFIGS:
        label, values = name, vars_of(CONFIGS[name])
    elif name.endswith(".toml"):
        path = Path(name)
        try:
            values = tomllib.loads(path.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ParameterError("CONFIG", name, f"a readable TOML file ({error})") from None
        label = path.stem
    else:
        raise ParameterError("CONFIG", name, f"{', '.join(CONFIGS)} or a path that ends in .toml")
    for key, value in overrides:
        try:
            values[key.lower()] = int(value)
        except ValueError:
            raise ParameterError(key.lower(), value, "an integer") from None
        label += f"-{key.lower()}{value}"
    for key in values:
        if key not in _FIELDS:
            raise ParameterError(key, values[key], f"one of the parameters {', '.join(sorted(_FIELDS))}")
    return label, HdpParams(**values)


def vars_of(params):
    """The parameters as a plain dictionary, in the order of their definition."""
    return {field.name: getattr(params, field.name) for field in fields(HdpParams)}
