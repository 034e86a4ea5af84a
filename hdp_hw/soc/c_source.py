"""Values as C."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np


def array(name: str, kind: str, values: Any) -> str:
    """C of a constant array of integers."""
    return f"static const {kind} {name}[] = {{\n{fill(', '.join(map(str, np.ravel(values).tolist())), 118)}}};\n"


def initialiser(values: Mapping[str, Any]) -> str:
    """C of a structure's initialiser, ``{member: C}``."""
    return "{" + ", ".join(f".{name} = {value}" for name, value in values.items()) + "}"
