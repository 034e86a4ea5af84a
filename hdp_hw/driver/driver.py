"""The driver: attention layers in real or integer numbers, on any back end."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hdp_hw.driver.backend import Backend, LayerJob, LayerRun
from hdp_hw.driver.layer import LayerSettings, as_scale
from hdp_hw.driver.monitor import Monitor
from hdp_hw.driver.operands import integers_in_range, kv_heads, operand_arrays, quantise
from hdp_hw.spec.params import HdpParams, ParameterError, ceil_div
from hdp_hw.spec.settings import Rule, Verdict

#: Back ends by name, imported when they are asked for: a simulation takes Amaranth and Verilator.
BACKENDS = {"emulator": "hdp_hw.driver.emulator.Emulator", "simulation": "hdp_hw.simulation.simulation.Simulation"}
MODES = ("integer", "cross", "full", "context")
CAUSES = ("load", "write", "other")
MAX_TIMEOUT = (1 << 32) - 1


@dataclass(frozen=True)
class Statistics:
    """What a layer did.

    layer : its name; rule : what it ran under; verdicts, kept, visited, theta_heads : of each head, its Verdict,
    numbers of blocks that were computed and that hold a valid element, and sum of absolute integer scores.
    cycles : clock cycles of the job; busy : ``{mode: clock cycles}`` of all arrays; stalls : ``{cause: clock cycles}``
    likewise, empty where the back end does not know them. bytes_read, bytes_written : of the memory; bytes_unmasked :
    what would have been read without a mask. saturations : ``{"q", "k", "v": operands at or beyond the largest
    magnitude}``.
    """

    layer: str
    rule: Rule
    verdicts: tuple[Verdict, ...]
    kept: tuple[int, ...]
    visited: tuple[int, ...]
    theta_heads: tuple[int, ...]
    cycles: int
    busy: dict[str, int]
    stalls: dict[str, int]
    bytes_read: int
    bytes_written: int
    bytes_unmasked: int
    saturations: dict[str, int]

    @classmethod
    def of(cls, layer: LayerSettings, run: LayerRun, saturations: dict[str, int]) -> "Statistics":
        """Of a LayerRun."""
        counters = run.counters
        return cls(
            layer=layer.name,
            rule=layer.rule,
            verdicts=tuple(head.verdict for head in run.heads),
            kept=tuple(head.n_kept for head in run.heads),
            visited=tuple(head.n_visited for head in run.heads),
            theta_heads=tuple(head.theta_head for head in run.heads),
            cycles=counters["cycles"],
            busy={mode: counters[f"busy_{mode}"] for mode in MODES},
            stalls={cause: counters[f"stall_{cause}"] for cause in CAUSES if f"stall_{cause}" in counters},
            bytes_read=counters["bytes_read"],
            bytes_written=counters["bytes_written"],
            bytes_unmasked=counters["bytes_unmasked"],
            saturations=saturations,
        )

    @property
    def kept_share(self) -> float:
        """Share of the blocks that were computed."""
        return sum(self.kept) / sum(self.visited)

    @property
    def kept_shares(self) -> tuple[float, ...]:
        """The same of each head."""
        return tuple(kept / visited for kept, visited in zip(self.kept, self.visited))

    @property
    def pruned_heads(self) -> int:
        """How many heads were pruned."""
        return self.verdicts.count(Verdict.PRUNED)

    @property
    def fallbacks(self) -> int:
        """How many heads kept less than ``min_keep`` and ran dense."""
        return self.verdicts.count(Verdict.FALLBACK)

    def __str__(self) -> str:
        return (
            f"{self.rule.name.lower()}: {self.kept_share:.1%} of {sum(self.visited)} blocks computed, "
            f"{self.pruned_heads} of {len(self.verdicts)} heads pruned, {self.fallbacks} fell back; "
            f"{self.cycles} clock cycles; {self.bytes_read} bytes read of {self.bytes_unmasked}, "
            f"{self.bytes_written} written"
        )


class HdpDriver:
    """Attention on a co-processor, or on what behaves like one.

    Parameters
    ----------
    backend : Backend or str
        ``emulator`` or ``simulation`` for what ``config`` describes, or any other.
    monitor : Monitor
        Watches the statistics of every layer, and may have a layer run dense.
    config : str or HdpParams
        A named configuration, or a TOML file, or parameters, for a back end that is named.

    Raises
    ------
    ParameterError
        There is no such back end, or configuration.
    """

    def __init__(
        self,
        backend: Backend | str = "emulator",
        monitor: Monitor | None = None,
        config: str | Path | HdpParams = "edge",
    ) -> None:
        if isinstance(backend, str) and backend in BACKENDS:
            module, _, name = BACKENDS[backend].rpartition(".")
            backend = getattr(import_module(module), name)(config)
        if isinstance(backend, str) or not hasattr(backend, "run") or not hasattr(backend, "params"):
            raise ParameterError("backend", backend, f"{', '.join(BACKENDS)} or a Backend")
        if monitor is not None and not isinstance(monitor, Monitor):
            raise ParameterError("monitor", monitor, "a Monitor, or None")
        self.backend, self.monitor = backend, monitor

    def attend(self, q: ArrayLike, k: ArrayLike, v: ArrayLike, layer: LayerSettings) -> tuple[NDArray[Any], Statistics]:
        """``(output, Statistics)`` of one attention layer.

        Parameters
        ----------
        q : array [n_heads, n_q, d]
        k, v : array [n_kv_heads, n_k, d]
            Query head h uses the keys and values of head h * n_kv_heads // n_heads. All three are of a float type, and
            the output [n_heads, n_q, d] is in the units of ``v`` and of q's type; or all three are of an integer type
            and quantised by the layer's scales, and the output is int64 in the same units.
        layer : LayerSettings

        Raises
        ------
        ParameterError
            Names the operand or setting that is not legal, and what would be.
        HdpError
            The co-processor failed; the message says what helps.
        """
        if not isinstance(layer, LayerSettings):
            raise ParameterError("layer", layer, "LayerSettings")
        params = self.backend.params
        chosen = self.monitor.choose(layer) if self.monitor else layer
        job, saturations = prepare(q, k, v, chosen, params)
        run = self.backend.run(job)
        statistics = Statistics.of(chosen, run, saturations)
        if self.monitor:
            self.monitor.observe(layer, statistics)
        kind = np.asarray(q).dtype
        if kind.kind in "iu":
            return run.output, statistics
        unit = as_scale(layer.v_absmax)
        if unit.ndim:
            unit = unit[kv_heads(len(job.q), len(job.k))]
        with np.errstate(over="ignore"):
            output = (run.output * (unit / params.digit_max)).astype(kind)
        if not np.isfinite(output).all():
            legal = f"a scale in which {kind.name}, q's type, holds the output; or operands of a wider type"
            raise ParameterError("v_absmax", layer.v_absmax, legal)
        return output, statistics


def prepare(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, layer: LayerSettings, params: HdpParams
) -> tuple[LayerJob, dict[str, int]]:
    """``(LayerJob, {operand: saturations})`` of what :meth:`HdpDriver.attend` takes. Raises ParameterError."""
    operands = operand_arrays(q, k, v)
    (n_heads, n_q, d), (n_kv_heads, n_k, _) = operands["q"].shape, operands["k"].shape
    settings = layer.head_settings(n_heads, n_kv_heads, n_q, n_k, d, params)
    integers = {}
    for name, x in operands.items():
        absmax = getattr(layer, f"{name}_absmax")
        if isinstance(absmax, tuple) and len(absmax) != len(x):
            raise ParameterError(f"{name}_absmax", f"{len(absmax)} values", f"one, or one for each of {len(x)} heads")
        real = x.dtype.kind == "f"
        integers[name] = quantise(x, as_scale(absmax), params) if real else integers_in_range(name, x, params)
    saturations = {name: int((np.abs(x) >= params.digit_max).sum()) for name, x in integers.items()}
    job = LayerJob(integers["q"], integers["k"], integers["v"], settings, layer.timeout_cycles or 0)
    if layer.timeout_cycles is None:
        job = replace(job, timeout_cycles=ample_cycles(job, params))
    return job, saturations


def ample_cycles(job: LayerJob, params: HdpParams) -> int:
    """Clock cycles that the job takes only if something is wrong: many times the dense rule's on a slow memory."""
    (n_heads, n_q, d), n_k = job.q.shape, job.k.shape[1]
    array = 8 * params.integer_cycles(d) * ceil_div(n_q, params.tile) * ceil_div(n_k, params.tile)
    memory = 256 * 3 * (n_q + n_k)  # of each row of Q and K in both planes, of V and O
    return min(100_000 + 4 * n_heads * (array + memory), MAX_TIMEOUT)
