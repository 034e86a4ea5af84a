"""Arguments of the driver and its simulations: what is refused, in the units of who sets them."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.spec.configs import CONFIGS, load_config
from hdp_hw.spec.params import HdpParams, ParameterError


def params_of(config: Any) -> HdpParams:
    """HdpParams of a named configuration, a TOML file, or parameters. Raises ParameterError."""
    if isinstance(config, HdpParams):
        return config
    if isinstance(config, str | Path):
        return load_config(str(config))[1]
    raise ParameterError("config", config, f"{', '.join(CONFIGS)}, a path that ends in .toml, or HdpParams")


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """The value. Raises ParameterError unless it is a whole number from ``low`` on, up to ``high`` if that is given."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ParameterError(name, value, f"a whole number, {_range(low, high)}")
    if value < low or (high is not None and value > high):
        raise ParameterError(name, int(value), _range(low, high))
    return int(value)


def number(name: str, value: Any, low: float, high: float = math.inf, unit: str = "") -> float:
    """The value. Raises ParameterError unless it is a finite number from ``low`` to ``high``."""
    of_unit = f" {unit}" if unit else ""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ParameterError(name, value, f"a number, {_range(low, high)}{of_unit}")
    if not math.isfinite(value) or not low <= value <= high:
        raise ParameterError(name, value, f"{_range(low, high)}{of_unit}")
    return float(value)


def _range(low: float, high: float | None) -> str:
    return f"at least {low:g}" if high is None or high == math.inf else f"{low:g} to {high:g}"
