"""What the settings of a layer may be, in the units of who sets them; errors say it in the same."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hdp_hw.spec.params import HdpParams, ParameterError
from hdp_hw.spec.settings import RELATIVE_ONE, Rule, field_limits

if TYPE_CHECKING:
    from hdp_hw.driver.layer import Bounds, LayerSettings

SCALES = ("q_absmax", "k_absmax", "v_absmax")  #: a number, or one for each head of the matrix
SCALE_RANGE = (1e-30, 1e30)  #: their product has to be a number, too
LARGEST = 1e30  #: of all that has no limit of its own
FLAGS = ("relative", "causal", "compensate", "mean_output")
RAW = ("rho", "margin", "log_mass", "kappa", "kappa_shift", "mult", "shift", "tau_head", "min_keep")
TIMEOUT_RANGE = (0, (1 << 32) - 1)


def check_layer(layer: "LayerSettings") -> None:
    """Raise ParameterError for the first field that is not legal."""
    low, high = SCALE_RANGE
    for name in SCALES:
        _check_each(layer, name, lambda x: low <= x <= high, f"positive numbers, {low:g} to {high:g}")
    for name in FLAGS:
        if not isinstance(getattr(layer, name), bool):
            raise ParameterError(name, getattr(layer, name), "True or False")
    if layer.threshold is not None:
        _check_each(layer, "threshold", *_thresholds(layer.rule, layer.relative))
    if layer.relative and layer.rule not in (Rule.MASS, Rule.DENSE):
        raise ParameterError("relative", True, f"False for rule {layer.rule.name.lower()}")
    if layer.causal and (layer.compensate or layer.mean_output):
        raise ParameterError("causal", True, "False with compensate or mean_output")
    _check_each(layer, "tau_head", lambda x: 0 <= x <= LARGEST, f"numbers from 0 to {LARGEST:g}")
    _check_each(layer, "min_keep", lambda x: 0 <= x <= 1, "shares, 0 to 1")
    _check_raw(layer.raw)
    if layer.timeout_cycles is not None:
        low, high = TIMEOUT_RANGE
        if not _is_whole(layer.timeout_cycles) or not low <= layer.timeout_cycles <= high:
            raise ParameterError("timeout_cycles", layer.timeout_cycles, f"a whole number, {low} to {high}, or None")
    if not isinstance(layer.name, str):
        raise ParameterError("name", layer.name, "a text")


def check_bounds(bounds: "Bounds") -> None:
    """Raise ParameterError for the first field that is not legal."""
    shares = [("kept_share", bounds.kept_share), *(("head_shares", pair) for pair in _sequence(bounds.head_shares))]
    for name, pair in shares:
        if not _is_pair(pair, _is_number) or not 0 <= pair[0] <= pair[1] <= 1:
            raise ParameterError(f"bounds.{name}", getattr(bounds, name), "lowest and highest share, 0 to 1")
    if not _is_pair(bounds.pruned_heads, _is_whole) or not 0 <= bounds.pruned_heads[0] <= bounds.pruned_heads[1]:
        raise ParameterError("bounds.pruned_heads", bounds.pruned_heads, "lowest and highest number of heads")
    if not _is_whole(bounds.fallbacks) or bounds.fallbacks < 0:
        raise ParameterError("bounds.fallbacks", bounds.fallbacks, "a whole number from 0")


def check_tau_head(tau_head: float, params: HdpParams) -> None:
    """Raise ParameterError for a threshold of heads beyond what a core holds."""
    highest = field_limits(params)["tau_head"][1] / RELATIVE_ONE
    if tau_head > highest:
        raise ParameterError("tau_head", tau_head, f"0 to {highest:.6g} for digits of {params.digit_width} bits")


def _thresholds(rule: Rule, relative: bool) -> tuple[Callable[[Any], bool], str]:
    """``(whether a threshold is legal for the rule, what is)``."""
    if rule == Rule.ROW_THRESHOLD:
        highest = (RELATIVE_ONE - 1) / RELATIVE_ONE
        text = f"-{highest:.3f} to {highest:.3f}, for rule row_threshold"
        return lambda x: abs(x) < 1 and abs(round(x * RELATIVE_ONE)) < RELATIVE_ONE, text
    if rule == Rule.MARGIN:
        return lambda x: 0 <= x <= LARGEST, f"0 to {LARGEST:g} nats, for rule margin"
    if rule == Rule.MASS and not relative:
        return lambda x: 0 < x <= 1, "above 0 and at most 1, for rule mass; without limit if it is relative"
    if rule == Rule.MASS:
        return lambda x: 0 < x <= LARGEST, f"above 0 and at most {LARGEST:g}, for rule mass, relative"
    return lambda x: abs(x) <= LARGEST, f"-{LARGEST:g} to {LARGEST:g}"


def _check_each(layer: "LayerSettings", name: str, legal: Callable[[Any], bool], text: str) -> None:
    """Raise ParameterError unless a field is a legal number, or one for each head."""
    value = getattr(layer, name)
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(_is_number(each) and legal(each) for each in values):
        raise ParameterError(name, value, text)


def _check_raw(raw: Any) -> None:
    if not isinstance(raw, dict):
        raise ParameterError("raw", raw, f"a table with some of {', '.join(RAW)}")
    for name, value in raw.items():
        if name not in RAW:
            raise ParameterError(f"raw.{name}", value, f"one of the fields {', '.join(RAW)}")
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(map(_is_whole, values)):
            raise ParameterError(f"raw.{name}", value, "a whole number, or one for each head")


def _sequence(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple) else (value,)


def _is_pair(value: Any, kind: Callable[[Any], bool]) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(kind, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
