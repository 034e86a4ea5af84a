"""hdp-hw bench length: what whole models take as their inputs grow. Nothing is simulated.

Clock cycles are those in which the array works or waits for the predictor, of attention by the cycle model's
``ideal_cycles``, of linear layers by hdp_hw.study.accuracy.linear; bytes are those of the fetch plan. Masks are drawn
at random: each row of blocks keeps the same share.

A head that is pruned whole reads no V, and the output projection nothing of it. What it would save not to compute these
is predicted beside: as if every verdict were known before V is, and at once, which the co-processor does not do.
"""

from dataclasses import dataclass, replace

import numpy as np

from hdp_hw.golden.bits.core.attention_core import HeadResult
from hdp_hw.golden.bits.shell.job import traffic
from hdp_hw.golden.cycles.core.plan import HeadPlan, ideal_cycles
from hdp_hw.spec.encoder import SCALES_BYTES
from hdp_hw.spec.params import ceil_div
from hdp_hw.spec.settings import HeadSettings, Rule, Verdict
from hdp_hw.study.accuracy.cost import Cost
from hdp_hw.study.accuracy.linear import ESTIMATE, attention_macs, layer_linears
from hdp_hw.study.accuracy.model_cost import ModelCost
from hdp_hw.study.bench.records import FOLDER, aligned, write_records

DEFAULT_CONFIGS = ("edge",)
LENGTHS = (128, 256, 512, 1024, 2048, 4096)
DEFAULT_SHARE = 0.225  #: of the blocks, that calibration leaves of MiniLM on STS-B, see docs/models.md
DEFAULT_PRUNED = 0.0  #: of the heads, that are pruned whole there
WORD_BYTES = 2
BUSY = "So are attention's: as if its array waited for nothing but the predictor."
TITLES = ["model", "n", "attention, of MACs", "of dense cycles", "cycles, attention", "pruned", "cycles, linear"]
TITLES += ["saved of the model's cycles", "with projections", "MB read", "saved", "MB of weights", "of activations"]


@dataclass(frozen=True)
class Shape:
    """Of an encoder; inner : elements of a position inside its feed-forward network."""

    name: str
    n_layers: int
    n_heads: int
    head_dim: int
    inner: int

    @property
    def hidden(self):
        """Elements of a position."""
        return self.n_heads * self.head_dim


SHAPES = (Shape("MiniLM", 6, 12, 32, 1536), Shape("BERT-Base", 12, 12, 64, 3072))


def bench(configs, lengths=LENGTHS, kept=DEFAULT_SHARE, pruned=DEFAULT_PRUNED, folder=FOLDER):
    """Predict SHAPES on ``configs``, ``[(name, HdpParams)]``, at these ``lengths``; print a table, write length.json.

    kept : share of all blocks that pruning leaves; pruned : of the heads that are pruned whole, so that the others keep
    the more. A core holds the length where its own max_seq_len is less. Raises ParameterError for a length or a head
    dimension that no core holds.
    """
    cores = [
        (name, replace(params, max_seq_len=max(n, params.max_seq_len)), n) for name, params in configs for n in lengths
    ]
    records = [
        {"config": name} | record(shape, n, kept, pruned, params) for shape in SHAPES for name, params, n in cores
    ]
    rows = [TITLES, *map(cells, records)]
    what = f"Pruning keeps {kept:.1%} of the blocks and prunes {pruned:.1%} of the heads whole."
    print(aligned(rows), "", f"{what} {ESTIMATE}", BUSY, sep="\n")
    write_records(records, folder / "length.json")


def record(shape, n, kept, pruned, params):
    """One entry of length.json: figures of an inference.

    ``weights`` : bytes, with the scales of each channel; ``activations`` : bytes of one layer, its operands and two
    streams of words; ``with_projections`` : the figures where V and output projection of pruned heads are spared.
    """
    d, n_pruned = shape.head_dim, round(pruned * shape.n_heads)
    left, sparse = shape.n_heads - n_pruned, HeadSettings(n, n, d, Rule.MASS, compensate=True)
    dense = layer_cost([(shape.n_heads, *head(HeadSettings(n, n, d), 1.0, params))], params)
    share = min(1.0, kept * shape.n_heads / max(1, left))
    some = [(n_pruned, *head(sparse, 0.0, params)), (left, *head(sparse, share, params))]
    attention, linears = layer_cost(some, params), layer_linears(shape.hidden, shape.inner, n)
    model = ModelCost(
        attention,
        dense,
        sum((each.cost(params) for each in linears), Cost()),
        attention_macs(shape.hidden, n),
        sum(each.macs for each in linears),
    )
    fewer = layer_linears(shape.hidden, shape.inner, n, spared=n_pruned * d)
    spared = sum((each.cost(params).cycles for each in fewer), attention.cycles)
    weights = sum(each.outputs * (each.inputs + SCALES_BYTES) for each in linears)
    return {
        "model": shape.name,
        "n": n,
        "kept": kept,
        "pruned_heads": n_pruned / shape.n_heads,
        **sum([model] * shape.n_layers, ModelCost()).facts(),
        "cycles_saving_with_projections": 1 - spared / (dense + model.linear).cycles,
        "weights": shape.n_layers * weights,
        "activations": n * (shape.hidden * (5 + 2 * WORD_BYTES) + shape.inner),
    }


def head(settings, kept, params):
    """``(HeadSettings, HeadResult)`` of a head that keeps this share of each row's blocks, one at least; or of one that
    is pruned whole, for 0. Raises ParameterError.
    """
    blocks = ceil_div(settings.n_k, params.tile)
    order = np.random.default_rng(0).random((blocks, blocks)).argsort(1)
    mask = order < max(1, round(kept * blocks)) * (kept > 0)
    output = np.zeros((settings.n_q, settings.head_dim), np.int8)
    verdict = Verdict.DENSE if settings.rule == Rule.DENSE else Verdict.SPARSE if kept else Verdict.PRUNED
    return settings.validate(params), HeadResult(output, mask, mask, verdict, 0, mask.size, int(mask.sum()))


def layer_cost(heads, params):
    """Cost of a layer of heads, ``[(how many, HeadSettings, HeadResult)]``; cores share those of each kind, and the one
    with the most of them counts."""
    cycles = sum(
        ceil_div(count, params.n_cores) * ideal_cycles(HeadPlan.of(settings, result, params), params)
        for count, settings, result in heads
    )
    every = [pair for count, *pair in heads for _ in range(count)]
    moved = traffic([result for _, result in every], [settings for settings, _ in every], params)
    return Cost(cycles, moved["bytes_read"], moved["bytes_written"])


def cells(entry):
    """A record under TITLES."""
    shares = [f"{entry[name]:.1%}" for name in ("macs_share", "cycles_share")]
    cycles = [f"{entry[name]['cycles']:,}" for name in ("dense", "attention", "linear")]
    read = (entry["dense"]["bytes_read"] + entry["linear"]["bytes_read"]) / 1e6
    saved = [f"{entry[name]:.1%}" for name in ("cycles_saving", "cycles_saving_with_projections")]
    saved += [f"{read:,.1f}", f"{entry['bytes_saving']:.1%}"]
    memory = [f"{entry[name] / 1e6:.1f}" for name in ("weights", "activations")]
    return [entry["model"], str(entry["n"]), *shares, *cycles, *saved, *memory]
