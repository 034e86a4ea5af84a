"""What the benches of hdp_hw/rtl/pruning share: parameters, random heads."""

import os
from dataclasses import dataclass

import cocotb
import numpy as np
import pytest

from hdp_hw.golden.bits.pruning.geometry import tiles_of, valid_elements, visited_blocks
from hdp_hw.spec.configs import CONFIGS
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.settings import HeadSettings
from tb.lib.simulation import simulate

PARAMS = {
    "tiny": CONFIGS["tiny"],
    "wide": HdpParams(tile=4, lanes=16, digit_width=8, max_head_dim=32, max_seq_len=128),
    "octo": HdpParams(tile=8, lanes=4, digit_width=4, max_head_dim=16, max_seq_len=16),
    "swift": HdpParams(tile=4, lanes=64, digit_width=4, max_head_dim=16, max_seq_len=64),  # a tile takes one turn
}

# The predictor, which holds most blocks of the folder, runs both cores under both simulators; a block takes three runs.
RUNS = [("icarus", "tiny"), ("icarus", "wide"), ("verilator", "wide")]
on_every_run = pytest.mark.parametrize("simulator, config", RUNS)
on_every_run_and_largest_tile = pytest.mark.parametrize("simulator, config", [*RUNS, ("icarus", "octo")])


def run_bench(component_class, module, simulator, config):
    """Simulate ``component_class(PARAMS[config])`` with the cocotb tests of ``module``."""
    component = component_class(PARAMS[config])
    name = module.rpartition(".test_")[2]
    environment = {"HDP_CONFIG": config, "HDP_LATENCY": str(getattr(component, "latency", 0))}
    simulate(component, module, simulator, name=f"{name}_{config}", plusenv=environment)


def bench_params():
    """Inside a simulation: parameters of the component."""
    return PARAMS[os.environ["HDP_CONFIG"]]


def bench_latency():
    """Inside a simulation: the component's latency."""
    return int(os.environ["HDP_LATENCY"])


def bench_rng():
    """Inside a simulation: numpy's random numbers, from cocotb's seed."""
    return np.random.default_rng(cocotb.RANDOM_SEED)


# -- heads ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Head:
    """Settings and padded integer scores of one head, with what follows for its visited tiles."""

    settings: HeadSettings
    a: np.ndarray
    tile: int

    @property
    def valid(self):
        """Valid elements [rows, columns]."""
        return valid_elements(self.settings, self.tile)

    @property
    def n_tiles(self):
        """Visited tiles of each block row."""
        return [int(n) for n in visited_blocks(self.settings, self.tile)]

    def tiles(self):
        """``(row, column, scores, valid elements, is first, is last)`` of each visited tile, in order."""
        a, valid = tiles_of(self.a, self.tile), tiles_of(self.valid, self.tile)
        for row, n in enumerate(self.n_tiles):
            for column in range(n):
                yield row, column, a[row, column], valid[row, column], column == 0, column == n - 1

    def turns(self, params):
        """``(row, column, turn, slice of query rows, scores, valid elements, is first, is last)`` of the turns of each
        of these tiles; scores and elements of the query rows whose turn it is."""
        for row, column, a, valid, first, last in self.tiles():
            for turn, rows in enumerate(rows_of_turns(params)):
                yield row, column, turn, rows, a[rows], valid[rows], first, last


def rows_of_turns(params):
    """The slice of a tile's query rows that each turn takes."""
    return [slice(row, row + params.predictor_rows) for row in range(0, params.tile, params.predictor_rows)]


def largest_score(params):
    """Largest |A|."""
    return 4 ** (params.digit_width - 1) * params.max_head_dim


def random_scores(rng, shape, params, kind="normal"):
    """Integer scores: ``normal`` and ``small`` ones, different from tile to tile, ``equal`` or ``saturated`` ones."""
    largest, tile = largest_score(params), params.tile
    if kind == "equal":
        return np.full(shape, rng.integers(-largest, largest + 1))
    if kind == "saturated":
        return rng.choice([-largest, 0, largest], shape)
    scale = largest / 10 if kind == "normal" else 2
    of_tiles = np.kron(rng.normal(0, scale, (shape[0] // tile, shape[1] // tile)), np.ones((tile, tile)))
    return np.clip(np.rint(of_tiles + rng.normal(0, scale / 2, shape)), -largest, largest).astype(np.int64)


def random_head(rng, params, n_q, n_k, rule, kind="normal", **more):
    """A head whose unnamed settings are random, thresholds from strict to lax; junk in invalid elements.

    Lengths beyond the longest are cut.
    """
    n_q, n_k = (min(int(n), params.max_seq_len) for n in (n_q, n_k))
    largest = largest_score(params)
    spread = {"normal": largest // 10, "small": 2}.get(kind, largest)
    # The coarse logit of one spread is around 64, that is 4 in base 2.
    shift = max(0, int(np.log2(spread * 160 / 64)))
    settings = {
        "rho": rng.choice([-255, -128, -1, 0, 1, 128, 255, rng.integers(-255, 256)]),
        "margin": rng.choice([0, 1, min(spread, 2**16 - 1), min(3 * spread, 2**16 - 1), 2**16 - 1]),
        "log_mass": rng.choice([0, 1, 32, 48, 64, 80, 96, 511]),
        "kappa": rng.choice([0, 1, 255, 160, 160, 160, 160, 160]),
        "kappa_shift": rng.choice([0, 31, shift, shift, shift, shift, shift]),
        "tau_head": 0,
        "min_keep": 0,
    } | more
    settings = {name: int(value) for name, value in settings.items()}
    settings = HeadSettings(n_q, n_k, params.slice_width, rule, **settings).validate(params)
    return Head(settings, random_scores(rng, valid_elements(settings, params.tile).shape, params, kind), params.tile)


def random_heads(rng, params, rules, n_heads):
    """Heads over the corners of the lengths and random ones, all kinds of scores, causal or not."""
    tile, longest = params.tile, params.max_seq_len
    lengths = [(1, 1), (tile - 1, tile + 1), (tile + 1, 2 * tile), (3, longest), (3 * tile, 1)]
    kinds = ["normal", "normal", "small", "equal", "saturated"]
    heads = []
    for index in range(n_heads):
        n_q, n_k = lengths[index] if index < len(lengths) else rng.integers(1, 8 * tile, 2)
        rule = rules[index % len(rules)]
        heads.append(random_head(rng, params, n_q, n_k, rule, kinds[index % len(kinds)], causal=index % 2))
    return heads


def held_settings(settings):
    """Ports of ``i_settings`` and their values."""
    return {f"i_settings_{name}": int(value) for name, value in settings.carried(HdpParams()).items()}
