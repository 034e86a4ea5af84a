"""The driver: attention layers in real or integer numbers, on any back end."""

from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np

from hdp_hw.driver.backend import LayerJob
from hdp_hw.driver.layer import as_scale
from hdp_hw.golden.bits.digits import quantize
from hdp_hw.golden.bits.shell.job import kv_head
from hdp_hw.spec.params import ParameterError, ceil_div
from hdp_hw.spec.settings import Rule, Verdict

#: Back ends by name, imported when they are asked for: a simulation takes Amaranth and Verilator.
BACKENDS = {"emulator": "hdp_hw.driver.emulator.Emulator", "simulation": "hdp_hw.simulation.simulated_bus.Simulation"}
MODES = ("integer", "cross", "full", "context")
CAUSES = ("load", "write", "other")
MAX_HEADS = (1 << 16) - 1
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
    verdicts: tuple
    kept: tuple
    visited: tuple
    theta_heads: tuple
    cycles: int
    busy: dict
    stalls: dict
    bytes_read: int
    bytes_written: int
    bytes_unmasked: int
    saturations: dict

    @classmethod
    def of(cls, layer, run, saturations):
        """Of a LayerRun."""
        counters = run.counters
        columns = {"verdicts": "verdict", "kept": "n_kept", "visited": "n_visited", "theta_heads": "theta_head"}
        return cls(
            layer=layer.name,
            rule=layer.rule,
            **{name: tuple(getattr(head, of) for head in run.heads) for name, of in columns.items()},
            cycles=counters["cycles"],
            busy={mode: counters[f"busy_{mode}"] for mode in MODES},
            stalls={cause: counters[f"stall_{cause}"] for cause in CAUSES if f"stall_{cause}" in counters},
            **{name: counters[name] for name in ("bytes_read", "bytes_written", "bytes_unmasked")},
            saturations=saturations,
        )

    @property
    def kept_share(self):
        """Share of the blocks that were computed."""
        return sum(self.kept) / sum(self.visited)

    @property
    def kept_shares(self):
        """The same of each head."""
        return tuple(kept / visited for kept, visited in zip(self.kept, self.visited))

    @property
    def pruned_heads(self):
        """How many heads were pruned."""
        return self.verdicts.count(Verdict.PRUNED)

    @property
    def fallbacks(self):
        """How many heads kept less than ``min_keep`` and ran dense."""
        return self.verdicts.count(Verdict.FALLBACK)

    def __str__(self):
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

    def __init__(self, backend="emulator", monitor=None, config="edge"):
        if isinstance(backend, str):
            if backend not in BACKENDS:
                raise ParameterError("backend", backend, f"{', '.join(BACKENDS)} or a Backend")
            module, _, name = BACKENDS[backend].rpartition(".")
            backend = getattr(import_module(module), name)(config)
        self.backend, self.monitor = backend, monitor

    def attend(self, q, k, v, layer):
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
        params = self.backend.params
        chosen = self.monitor.choose(layer) if self.monitor else layer
        job, saturations = prepare(q, k, v, chosen, params)
        run = self.backend.run(job)
        statistics = Statistics.of(chosen, run, saturations)
        if self.monitor:
            self.monitor.observe(layer, statistics)
        q = np.asarray(q)
        if not np.issubdtype(q.dtype, np.floating):
            return run.output, statistics
        shared = [kv_head(head, len(q), len(k)) for head in range(len(q))]
        unit = as_scale(layer.v_absmax)[shared if isinstance(layer.v_absmax, tuple) else ...] / params.digit_max
        return (run.output * unit).astype(q.dtype), statistics


def prepare(q, k, v, layer, params):
    """``(LayerJob, {operand: saturations})`` of what :meth:`HdpDriver.attend` takes. Raises ParameterError."""
    operands = {name: np.asarray(x) for name, x in (("q", q), ("k", k), ("v", v))}
    real = _check(operands)
    (n_heads, n_q, d), (n_kv_heads, n_k, _) = operands["q"].shape, operands["k"].shape
    settings = layer.head_settings(n_heads, n_kv_heads, n_q, n_k, d, params)
    integers = {}
    for name, x in operands.items():
        absmax = getattr(layer, f"{name}_absmax")
        if isinstance(absmax, tuple) and len(absmax) != len(x):
            raise ParameterError(f"{name}_absmax", f"{len(absmax)} values", f"one, or one for each of {len(x)} heads")
        integers[name] = quantize(x, as_scale(absmax), params) if real else _in_range(name, x, params)
    saturations = {name: int((np.abs(x) >= params.digit_max).sum()) for name, x in integers.items()}
    job = LayerJob(**integers, settings=settings, timeout_cycles=layer.timeout_cycles or 0)
    if layer.timeout_cycles is None:
        job = replace(job, timeout_cycles=ample_cycles(job, params))
    return job, saturations


def ample_cycles(job, params):
    """Clock cycles that the job takes only if something is wrong: many times the dense rule's on a slow memory."""
    (n_heads, n_q, d), n_k = job.q.shape, job.k.shape[1]
    array = 8 * params.integer_cycles(d) * ceil_div(n_q, params.tile) * ceil_div(n_k, params.tile)
    memory = 256 * 3 * (n_q + n_k)  # of each row of Q and K in both planes, of V and O
    return min(100_000 + 4 * n_heads * (array + memory), MAX_TIMEOUT)


def _check(operands):
    """Whether the operands are real-valued. Raises ParameterError unless types and shapes fit together."""
    kinds = {name: x.dtype.kind for name, x in operands.items()}
    if set(kinds.values()) != {"f"} and not set(kinds.values()) <= {"i", "u"}:
        found = ", ".join(f"{name} {x.dtype}" for name, x in operands.items())
        raise ParameterError("dtype", found, "all three of float types, or all three of integer types")
    for name, x in operands.items():
        if x.ndim != 3 or 0 in x.shape:
            raise ParameterError(
                f"{name}.shape", x.shape, f"[{'n_heads, n_q' if name == 'q' else 'n_kv_heads, n_k'}, d], none of them 0"
            )
    q, k, v = operands.values()
    if k.shape[2] != q.shape[2]:
        raise ParameterError("k.shape", k.shape, f"a last axis of {q.shape[2]}, as q has")
    if len(k) > len(q):
        raise ParameterError("k.shape", k.shape, f"at most {len(q)} heads, as q has")
    if v.shape != k.shape:
        raise ParameterError("v.shape", v.shape, f"{k.shape}, as k has")
    if len(q) > MAX_HEADS:
        raise ParameterError("q.shape", q.shape, f"at most {MAX_HEADS} heads")
    real = q.dtype.kind == "f"
    for name, x in operands.items():
        if real and not np.isfinite(x).all():
            raise ParameterError(name, float(x[~np.isfinite(x)][0]), "finite numbers")
    return real


def _in_range(name, x, params):
    """int64 of an integer operand. Raises ParameterError when 2w bits do not hold it."""
    limit = 1 << (params.operand_width - 1)
    low, high = int(x.min()), int(x.max())
    if low < -limit or high >= limit:
        raise ParameterError(name, low if low < -limit else high, f"{-limit} to {limit - 1}")
    return x.astype(np.int64)
