"""Settings of attention layers in real units, and the file that keeps them."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from hdp_hw.driver.head_settings import head_settings
from hdp_hw.driver.layer_checks import SCALE_RANGE, SCALES, check_bounds, check_layer, check_tau_head
from hdp_hw.driver.operands import array_of, kv_heads
from hdp_hw.spec.failure import FileError
from hdp_hw.spec.output_file import write
from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import HeadSettings, Rule
from hdp_hw.spec.text_file import read_json, read_toml

FORMAT = 1  #: of the settings file
PER_HEAD = ("threshold", "tau_head", "min_keep")  #: a number, or one for each query head
THRESHOLD_FIELD = {Rule.ROW_THRESHOLD: "rho", Rule.MARGIN: "margin", Rule.MASS: "log_mass"}


@dataclass(frozen=True)
class Bounds:
    """What calibration has seen of a layer, for the monitor. Pairs are lowest and highest.

    Parameters
    ----------
    kept_share : tuple
        Share of its blocks that the layer keeps.
    head_shares : tuple
        Pairs likewise for each head, or none at all.
    pruned_heads : tuple
        Heads that are pruned.
    fallbacks : int
        Largest number of heads that kept less than ``min_keep``.
    """

    kept_share: tuple[float, ...] = (0.0, 1.0)
    head_shares: tuple[tuple[float, ...], ...] = ()
    pruned_heads: tuple[int, ...] = (0, 65535)
    fallbacks: int = 0

    def __post_init__(self) -> None:
        _freeze(self)
        check_bounds(self)

    @classmethod
    def of(cls, statistics: Iterable[Any], slack: float = 0.05) -> "Bounds":
        """Bounds of a layer's runs, of each its :class:`hdp_hw.driver.driver.Statistics`; ``slack`` widens shares."""

        def share(values: Iterable[float]) -> tuple[float, float]:
            values = tuple(values)
            return max(0.0, min(values) - slack), min(1.0, max(values) + slack)

        statistics = list(statistics)
        if not statistics:
            raise ParameterError("statistics", statistics, "those of at least one run")
        pruned = [each.pruned_heads for each in statistics]
        return cls(
            share([each.kept_share for each in statistics]),
            tuple(share(of_head) for of_head in zip(*(each.kept_shares for each in statistics))),
            (min(pruned), max(pruned)),
            max(each.fallbacks for each in statistics),
        )


@dataclass(frozen=True)
class LayerSettings:
    """All that an attention layer needs beside its tensors.

    Parameters
    ----------
    q_absmax, k_absmax, v_absmax : float or tuple
        Magnitude that becomes the largest integer, 1e-30 to 1e30: of all heads, or one for each head of the matrix.
    rule : Rule or str
        Block rule: ``row_threshold``, ``margin``, ``mass`` or ``dense``.
    threshold : float or tuple
        Of the rule: rho, -0.996 to 0.996; nats from 0; or probability p, above 0 to 1. Of all heads, or one for each
        query head.
    relative : bool
        The mass rule's threshold is in units of 1 / n_k.
    causal : bool
        Query i sees the keys j <= i + n_k - n_q.
    compensate : bool
        One key stands in for the pruned ones of a row.
    mean_output : bool
        A pruned head's output is the mean of V instead of zero.
    tau_head : float or tuple
        A head whose mean absolute integer score is below is pruned: of all heads, or one for each query head.
    min_keep : float or tuple
        A head that keeps a smaller share of its blocks runs dense: of all heads, or one for each query head.
    raw : dict
        Fields of HeadSettings, as the hardware takes them, in place of what follows from the above: integers, or one
        for each query head.
    timeout_cycles : int
        Clock cycles after which the co-processor gives up; 0 for never, None for several times what it should take.
    bounds : Bounds
        What calibration has seen, for the monitor.
    name : str
        The layer's name in the settings file.

    Raises
    ------
    ParameterError
        Names the field, its value and what would be legal.
    """

    q_absmax: float | tuple[float, ...]
    k_absmax: float | tuple[float, ...]
    v_absmax: float | tuple[float, ...]
    rule: Rule = Rule.DENSE
    threshold: float | tuple[float, ...] | None = None
    relative: bool = False
    causal: bool = False
    compensate: bool = False
    mean_output: bool = False
    tau_head: float | tuple[float, ...] = 0.0
    min_keep: float | tuple[float, ...] = 0.0
    raw: dict[str, Any] = field(default_factory=dict)
    timeout_cycles: int | None = None
    bounds: Bounds | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _freeze(self)
        names = [rule.name.lower() for rule in Rule]
        if isinstance(self.rule, bool) or self.rule not in [*names, *Rule]:
            raise ParameterError("rule", self.rule, ", ".join(names))
        object.__setattr__(self, "rule", Rule[self.rule.upper()] if isinstance(self.rule, str) else Rule(self.rule))
        check_layer(self)
        if not isinstance(self.bounds, Bounds | None):
            raise ParameterError("bounds", self.bounds, "Bounds, or None")

    @classmethod
    def fit(cls, q: Any, k: Any, v: Any, **more: Any) -> "LayerSettings":
        """Settings whose scales are the largest magnitudes of these tensors; ``more`` are further fields."""
        return cls(_largest("q", q), _largest("k", k), _largest("v", v), **more)

    def dense(self) -> "LayerSettings":
        """The layer without pruning: the fail-safe."""
        return replace(self, rule=Rule.DENSE)

    def head_settings(
        self, n_heads: int, n_kv_heads: int, n_q: int, n_k: int, head_dim: int, params: HdpParams
    ) -> tuple[HeadSettings, ...]:
        """Tuple of the HeadSettings of each query head. Raises ParameterError."""
        scales = [_each("q_absmax", self.q_absmax, n_heads), _each("k_absmax", self.k_absmax, n_kv_heads)]
        values = {name: _each(name, getattr(self, name), n_heads) for name in PER_HEAD}
        raw = {name: _each(f"raw.{name}", value, n_heads) for name, value in self.raw.items()}
        shared = {name: getattr(self, name) for name in ("causal", "compensate", "mean_output")}
        heads = []
        for head, of_keys in enumerate(kv_heads(n_heads, n_kv_heads)):
            threshold = self._threshold(values["threshold"][head], n_k)
            tau_head, min_keep = values["tau_head"][head], values["min_keep"][head]
            check_tau_head(tau_head, params)
            scales_of_head = scales[0][head], scales[1][of_keys]
            rule = self.rule, threshold, tau_head, min_keep
            settings = head_settings(n_q, n_k, head_dim, *scales_of_head, params, *rule, **shared)
            heads.append(replace(settings, **{name: each[head] for name, each in raw.items()}).validate(params))
        return tuple(heads)

    def _threshold(self, threshold: float | None, n_k: int) -> float:
        """Of one head, as head_settings takes it."""
        if self.rule == Rule.DENSE:
            return 0.0
        if threshold is None:
            field_name = THRESHOLD_FIELD[self.rule]
            if field_name not in self.raw:
                raise ParameterError(
                    "threshold", None, f"a number for rule {self.rule.name.lower()}, or raw.{field_name}"
                )
            return 1.0 if self.rule == Rule.MASS else 0.0
        if self.rule != Rule.MASS:
            return threshold
        return min(1.0, threshold / n_k if self.relative else threshold)


# -- the settings file ------------------------------------------------------------------------------------------------
def save_layers(path: str | Path, layers: Mapping[str, LayerSettings], about: Mapping[str, Any] | None = None) -> None:
    """Write ``{name: LayerSettings}`` to a .json or .toml file; what has its default value is left out.

    about : where they come from, a dictionary for people to read.
    """
    content = {"format": FORMAT, **({"about": about} if about else {})}
    content["layers"] = {name: _table(layer) for name, layer in layers.items()}
    kind = _kind(path)
    text = json.dumps(content, indent=1) if kind == ".json" else "\n".join(_toml(content))
    write(path, text + "\n")


def load_layers(path: str | Path) -> dict[str, LayerSettings]:
    """``{name: LayerSettings}`` of a .json or .toml file. Raises ParameterError, FileError, OSError."""
    content = read_json(path) if _kind(path) == ".json" else read_toml(path)
    try:
        if isinstance(content.get("format"), bool) or content.get("format") != FORMAT:
            raise ParameterError("format", content.get("format"), FORMAT)
        for key in content:
            if key not in ("format", "about", "layers"):
                raise ParameterError(key, content[key], "one of format, about, layers")
        if not isinstance(content.get("about", {}), dict):
            raise ParameterError("about", content["about"], "a table")
        if not isinstance(layers := content.get("layers"), dict):
            raise ParameterError("layers", layers, "a table of layers by their names")
        return {name: _layer(name, table) for name, table in layers.items()}
    except ParameterError as error:
        raise FileError(f"{path}: {error}") from None


def _kind(path: str | Path) -> str:
    kind = Path(path).suffix
    if kind not in (".json", ".toml"):
        raise ParameterError("path", str(path), "a name that ends in .json or .toml")
    return kind


def _table(settings: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them."""
    table = {}
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if entry.name == "name" or value == entry.default or value == {}:
            continue
        if entry.name == "rule":
            value = value.name.lower()
        table[entry.name] = _table(value) if isinstance(value, Bounds) else value
    return table


def _layer(name: str, table: Any) -> LayerSettings:
    """LayerSettings of a table of the file."""
    if not isinstance(table, dict):
        raise ParameterError(f"layers.{name}", table, "a table of settings")
    bounds = table.get("bounds", {})
    if not isinstance(bounds, dict):
        raise ParameterError(f"layers.{name}.bounds", bounds, "a table")
    for kind, values, where in ((LayerSettings, table, ""), (Bounds, bounds, "bounds.")):
        known = [entry.name for entry in fields(kind) if entry.name != "name"]
        for key in values:
            if key not in known:
                raise ParameterError(f"layers.{name}.{where}{key}", values[key], f"one of {', '.join(known)}")
    for scale in SCALES:
        if scale not in table:
            raise ParameterError(f"layers.{name}.{scale}", None, "a positive number, or one for each head")
    try:
        return LayerSettings(**{**table, "bounds": Bounds(**bounds) if "bounds" in table else None, "name": name})
    except ParameterError as error:
        raise ParameterError(f"layers.{name}.{error.name}", error.value, error.legal) from None


def _toml(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines of TOML: values before tables."""
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    for key, value in table.items():
        if key not in tables and value is not None:
            yield f"{_quoted(key)} = {_quoted(value)}"
    for key, value in tables.items():
        heading = (*path, _quoted(key))
        yield from ["", f"[{'.'.join(heading)}]", *_toml(value, heading)]


def _quoted(value: Any) -> str:
    """A value as TOML has it: as JSON does, but no surrogates and no DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# -- values -----------------------------------------------------------------------------------------------------------
def _largest(name: str, tensor: Any) -> float:
    """The largest magnitude of a tensor as a scale; 1 for one of zeros."""
    array = array_of(name, tensor)
    if array.dtype.kind not in "fiu":
        raise ParameterError(name, f"an array of {array.dtype}", "an array of numbers")
    if not array.size:
        raise ParameterError(name, f"an array of shape {array.shape}", "an array with numbers")
    largest = float(np.abs(array.astype(np.float64)).max())
    if not math.isfinite(largest):
        raise ParameterError(name, largest, "finite numbers")
    return max(largest, SCALE_RANGE[0]) if largest else 1.0


def _freeze(settings: Any) -> None:
    """Sequences to tuples, numpy's numbers to Python's."""
    for entry in fields(settings):
        object.__setattr__(settings, entry.name, _frozen(getattr(settings, entry.name)))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def as_scale(absmax: Any) -> np.ndarray:
    """float64 array that multiplies a matrix [..., heads, n, d]: a number, or [heads, 1, 1]."""
    scale = np.asarray(absmax, np.float64)
    return scale.reshape(-1, 1, 1) if scale.ndim else scale


def _each(name: str, value: Any, n_heads: int) -> tuple[Any, ...]:
    """``n_heads`` values."""
    values = value if isinstance(value, tuple) else (value,) * n_heads
    if len(values) != n_heads:
        raise ParameterError(name, f"{len(values)} values", f"one, or one for each of {n_heads} heads")
    return values
