"""HeadTable: entries against the settings and golden.core.attention_core's results, cycle by cycle."""

import cocotb
import numpy as np

from golden.pruning.geometry import existing_blocks, visited_blocks
from hdp_hw.core.head_table import N_HEADS, HeadTable
from hdp_hw.params import ParameterError, ceil_div
from hdp_hw.settings import HeadError, HeadSettings, Verdict, field_limits
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

TABLE = HeadTable(PARAMS)
PLANES = 3


class Head:
    """A head whose facts are random, and the clock cycles of what happens to it."""

    def __init__(self, rng, index):
        self.index, self.place = index, index % N_HEADS
        self.settings = random_settings(rng)
        # Rare, so that all kinds of heads come, with errors in none, one or several planes.
        kinds = [HeadError.NONE] * 8 + [HeadError.SHORT, HeadError.LONG, HeadError.ORDER]
        self.errors = [HeadError(kind) for kind in rng.choice(kinds, PLANES)]
        self.verdict = Verdict(rng.choice([Verdict.SPARSE, Verdict.PRUNED, Verdict.FALLBACK, Verdict.DENSE]))
        self.theta_head = int(rng.choice([0, 1, (1 << PARAMS.theta_head_width) - 1, rng.integers(0, 1 << 20)]))
        self.rows = []
        if not self.error:
            existing = existing_blocks(self.settings, PARAMS.tile)
            self.rows = [(int(n), int(rng.integers(0, n + 1))) for n in existing]

    @property
    def settings_error(self):
        try:
            self.settings.validate(PARAMS)
        except ParameterError:
            return True
        return False

    @property
    def error(self):
        """The head's HeadError: its settings, or the first wrong plane."""
        if self.settings_error:
            return HeadError.SETTINGS
        return next((error for error in self.errors if error), HeadError.NONE)

    @property
    def status(self):
        n_visited = visited_blocks(self.settings, PARAMS.tile).sum() if self.rows else 0
        return {
            "o_status_verdict": Verdict.ERROR if self.error else self.verdict,
            "o_status_error": self.error,
            "o_status_n_visited": n_visited,
            "o_status_n_kept": sum(n_tiles for _, n_tiles in self.rows),
            "o_status_theta_head": self.theta_head,
        }

    def entry(self):
        """What the entry holds from the beginning, until planes, verdict and rows come."""
        slices = self.settings.head_dim // PARAMS.slice_width
        return {
            "settings": vars(self.settings),
            "half": self.index % 2,
            "cycles": {"integer": ceil_div(slices, 4), "cross": ceil_div(slices, 2), "slices": slices},
            "words": ceil_div(slices, 4),
            "value_words": ceil_div(slices, 2),
            "settings_error": self.settings_error,
        }


def random_settings(rng):
    limits = field_limits(PARAMS)
    values = {name: int(rng.integers(low, high + 1)) for name, (low, high) in limits.items()}
    values |= {"causal": 0} if rng.random() < 0.8 else {}
    values["head_dim"] = int(rng.integers(1, PARAMS.max_slices + 1)) * PARAMS.slice_width + int(rng.random() < 0.1)
    values["head_dim"] = min(values["head_dim"], PARAMS.max_head_dim)
    return HeadSettings(**values)


class Schedule:
    """Ports by clock cycle."""

    def __init__(self, rng, hurried):
        self.rng, self.hurried = rng, hurried
        self.status_ready = rng.random(50_000) >= (0 if hurried else 0.7)
        self.taken, self.reports, self.free_from = [], [], []  # cycles, by head
        self.strobes = {}  # {port: {cycle: bits}}
        self.held, self.entries, self.statuses = {}, {}, {}

    def add(self, head):
        """One head, from its settings to its status."""
        cycle = self.taken[-1] + 2 if self.taken else 3  # staged for a cycle
        if head.index >= N_HEADS:
            cycle = max(cycle, self.reports[head.index - N_HEADS] + 1)
        cycle += 0 if self.hurried else int(self.rng.integers(0, 8))
        self.taken.append(cycle)
        ports = {f"i_settings_{name}": int(value) for name, value in vars(head.settings).items()}
        self.at(cycle, ports | {"i_settings_valid": 1})
        used = cycle + TABLE.latency
        self.entries.setdefault(used, []).append(head)
        last = used
        for plane, error in enumerate(head.errors):
            done = self.strobe("i_loaded", used, bits([(plane, head.place)]), plane)
            self.at(done, {}, errors={plane: error})
            last = max(last, done)
        predicted = self.strobe("i_predicted", used, 1 << head.place)
        self.at(predicted, {"i_verdict": head.verdict, "i_theta_head": head.theta_head})
        listed = predicted
        for n_blocks, n_tiles in head.rows:
            listed = self.strobe("i_row_head", listed + 1, 1 << head.place)
            self.at(listed, {"i_row_blocks": n_blocks, "i_row_tiles": n_tiles})
        report = max(last, listed) + 1 + (0 if self.hurried else int(self.rng.integers(0, 8)))
        report = max([report, *self.free_from[-1:]])
