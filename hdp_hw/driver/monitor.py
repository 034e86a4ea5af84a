"""Watches what pruning does at run time, and turns it off where it does something that calibration has not seen."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hdp_hw.driver.checks import whole
from hdp_hw.driver.errors import DriftError
from hdp_hw.driver.layer import Bounds, LayerSettings
from hdp_hw.spec.output_file import naming
from hdp_hw.spec.params import ParameterError
from hdp_hw.spec.settings import Verdict

if TYPE_CHECKING:
    from hdp_hw.driver.driver import Statistics

ACTIONS = ("warn", "dense", "raise")


class DriftWarning(UserWarning):
    """A layer's statistics have left the bounds found at calibration."""


@dataclass
class _State:
    """Of a layer. drifts : runs out of bounds, one after the other; dense_left : dense runs until the next trial."""

    drifts: int = 0
    dense_left: int = 0


class Monitor:
    """Compares the statistics of layers with their bounds, and logs them.

    A layer *drifts* when ``patience`` runs in a row are out of bounds. Then, by ``on_drift``:

    - ``warn``: a DriftWarning, in each such run;
    - ``raise``: a DriftError;
    - ``dense``: the next ``hold`` runs are dense. Dense runs say nothing of the bounds, so after them comes a trial
      under the layer's own rule. One trial out of bounds and the layer is dense for another ``hold`` runs; one within,
      and it is as if nothing had been.

    Parameters
    ----------
    bounds : dict
        ``{name of the layer: Bounds}``; for others, those in their own settings. A layer without any is only logged.
    log : path
        File to which a JSON object is added for each run, a line each.
    on_drift : str
    patience, hold : int
    """

    def __init__(
        self,
        bounds: Mapping[str, Bounds] | None = None,
        log: str | Path | None = None,
        on_drift: str = "warn",
        patience: int = 3,
        hold: int = 100,
    ) -> None:
        if on_drift not in ACTIONS:
            raise ParameterError("on_drift", on_drift, ", ".join(ACTIONS))
        if not isinstance(bounds or {}, Mapping) or not all(
            isinstance(each, Bounds) for each in (bounds or {}).values()
        ):
            raise ParameterError("bounds", bounds, "{name of a layer: Bounds}")
        if not isinstance(log, str | Path | None):
            raise ParameterError("log", log, "the path of a file, or None")
        self.bounds, self.log, self.on_drift = dict(bounds or {}), Path(log) if log else None, on_drift
        self.patience, self.hold = whole("patience", patience, 1), whole("hold", hold, 1)
        self._states: dict[str, _State] = {}

    def choose(self, layer: LayerSettings) -> LayerSettings:
        """The LayerSettings under which the layer is to run now: its own, or dense ones."""
        return layer.dense() if self._state(layer).dense_left else layer

    def observe(self, layer: LayerSettings, statistics: "Statistics") -> list[str]:
        """Take note of a run of the layer; returns a text for each bound that it has left. Raises DriftError."""
        state, bounds = self._state(layer), self.bounds.get(layer.name, layer.bounds)
        chosen = self.choose(layer)
        if chosen is not layer:
            state.dense_left -= 1
            self._write(layer, statistics, [], "dense")
            return []
        found = excesses(statistics, bounds) if bounds else []
        state.drifts = state.drifts + 1 if found else 0
        drifts = state.drifts >= self.patience
        self._write(layer, statistics, found, self.on_drift if drifts else "none")
        if drifts:
            message = f"layer {layer.name!r}, {state.drifts} runs in a row: {'; '.join(found)}"
            if self.on_drift == "raise":
                raise DriftError(message)
            if self.on_drift == "dense":
                state.dense_left, state.drifts = self.hold, self.patience - 1
                message += f"; the next {self.hold} runs are dense"
            warnings.warn(message, DriftWarning, stacklevel=3)
        return found

    def _state(self, layer: LayerSettings) -> _State:
        return self._states.setdefault(layer.name, _State())

    def _write(self, layer: LayerSettings, statistics: "Statistics", found: list[str], action: str) -> None:
        if self.log is None:
            return
        record = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "layer": layer.name,
            "rule": statistics.rule.name.lower(),
            "kept_share": statistics.kept_share,
            "head_shares": statistics.kept_shares,
            "verdicts": [verdict.name.lower() for verdict in statistics.verdicts],
            "cycles": statistics.cycles,
            "bytes_read": statistics.bytes_read,
            "bytes_unmasked": statistics.bytes_unmasked,
            "saturations": statistics.saturations,
            "drift": found,
            "action": action,
        }
        with naming(self.log), self.log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def excesses(statistics: "Statistics", bounds: Bounds) -> list[str]:
    """A text for each of a layer's Bounds that its Statistics have left."""
    found: list[str] = []

    def compare(what: str, value: float, low: float, high: float) -> None:
        if not low <= value <= high:
            found.append(f"{what} is {value:.4g}, not {low:.4g} to {high:.4g}")

    compare("kept share", statistics.kept_share, *bounds.kept_share)
    if bounds.head_shares and len(bounds.head_shares) != len(statistics.kept):
        raise ParameterError(
            "bounds.head_shares", f"{len(bounds.head_shares)} pairs", f"one for each of {len(statistics.kept)} heads"
        )
    for head, limits in enumerate(bounds.head_shares):
        if statistics.verdicts[head] != Verdict.FALLBACK:  # which is counted below
            compare(f"kept share of head {head}", statistics.kept_shares[head], *limits)
    compare("number of pruned heads", statistics.pruned_heads, *bounds.pruned_heads)
    compare("number of fall-backs", statistics.fallbacks, 0, bounds.fallbacks)
    return found
