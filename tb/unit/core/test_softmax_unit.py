"""SoftmaxUnit against its golden twins: golden.cycles has which row it takes when, golden.bits the weights."""

from collections import deque
from types import SimpleNamespace
from unittest.mock import Mock

import cocotb
import numpy as np

from hdp_hw.golden.bits.core.softmax_unit import stand_in, weights
from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core import softmax_unit as cycles
from hdp_hw.golden.cycles.core.softmax_unit import softmax_steps
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.tables import logit_fraction
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

TILE, W = PARAMS.tile, PARAMS.digit_width
LARGEST = 4 ** (PARAMS.operand_width - 1) * PARAMS.max_head_dim  #: largest magnitude of a score
QUEUE = 4  #: rows that have begun to come in and are not finished


class Row:
    """A row job: scores and valid elements of its tiles [T, n_tiles * T], mean scores of its pruned keys."""

    def __init__(self, rng, n_tiles, scales, base):
        self.n_tiles, self.stand_in = n_tiles, int(rng.integers(0, 2))
        self.place, self.row = int(rng.integers(0, 3)), int(rng.integers(0, PARAMS.max_blocks))
        settings = SimpleNamespace(compensate=self.stand_in, linear=False)
        self.head = SimpleNamespace(index=0, plan=SimpleNamespace(settings=settings, verdict=Verdict.SPARSE))
        job = {"head": self.place, "row": self.row, "base": base, "n_tiles": n_tiles, "empty": not n_tiles}
        self.job = {f"i_{name}": value for name, value in (job | {"stand_in": self.stand_in}).items()}
        self.slots = [(base + n) % PARAMS.score_slots for n in range(n_tiles)]
        shape = TILE, n_tiles * TILE
        spread = LARGEST / 2 ** rng.integers(0, 8)
        self.s = np.clip(np.rint(rng.normal(0, spread, shape)), -LARGEST, LARGEST).astype(np.int64)
        kind = rng.integers(0, 8)
        if kind < 2:
            self.s = rng.choice([-LARGEST, LARGEST], shape) if kind else np.full(shape, -LARGEST)
        density = rng.choice([0, 0.5, 1, 1, 1], (TILE, 1))  # some query rows have no valid element
        self.elements = rng.random(shape) < density
        self.mean = np.clip(np.rint(rng.normal(0, spread, TILE)), -LARGEST, LARGEST).astype(np.int64)
        self.n_pruned = int(rng.integers(0, PARAMS.max_seq_len + 1))
        self.p, self.sums = self._expected(**scales[self.place])

    @property
    def tiles(self):
        """The ports of each tile."""
        for n, slot in enumerate(self.slots):
            keys = slice(n * TILE, (n + 1) * TILE)
            yield {
                "i_slot": slot,
                "i_scores": self.s[:, keys],
                "i_elements": self.elements[:, keys],
                "i_first_tile": n == 0,
                "i_last_tile": n == self.n_tiles - 1,
            }

    def _expected(self, mult, shift, n_k):
        """``(P, fields of o_sums)``."""
        s, elements = self.s, self.elements
        if not self.n_tiles:  # no key at all: its maximum is below every mean
            s, elements = np.zeros((TILE, 1), np.int64), np.zeros((TILE, 1), bool)
        p, row_max = weights(s, elements, mult, shift, W)
        e = stand_in(row_max, self.mean[:, None], mult, shift, W)[:, 0] * self.stand_in
        n_pruned = self.n_pruned if self.n_tiles else n_k
        return p, {"o_sums_weight_sum": p.sum(1), "o_sums_e_pruned": e, "o_sums_n_pruned": n_pruned}


class Schedule:
    """The neighbours of golden.cycles' softmax unit, and all ports, cycle by cycle.

    This is the queues around it. Rows' tiles come, and rows are offered, as soon as they may, or at times (``gaps``).
    """

    full = False  #: the queue behind it

    def __init__(self, rng, lengths, gaps):
        self.rng, self.gaps, self.unit = rng, gaps, SoftmaxUnit(PARAMS)
        scales = [self.scale(rng) for _ in range(3)]
        self.tiles, self.values = {}, {}
        self.held = {0: {"i_scales": bits(self.unit.i_scales.shape(), scales)}}
        self.expected = {"o_finished": {}, "i_ready": {}}
        self.to_come, base = deque(), 0
        for n_tiles in lengths:
            self.to_come.append(Row(rng, n_tiles, scales, base))
            base = (base + n_tiles) % PARAMS.score_slots
        self.to_arrive, self.arriving = self.to_come.copy(), deque()  # rows, and tiles of one
        self.inside, self.read = 0, 0  # rows that have begun to come in and are not read; when the last was
        self.head, self.taken = None, deque()
        self.clock = Clock()
        self.clock.blocks = [self]
        self.softmax = cycles.SoftmaxUnit(self.clock, PARAMS, rows=self, context=self, drain=Mock(sums=0))
        self.clock.run()

    @staticmethod
    def scale(rng):
        """Scores' logits range from flat to saturating ones."""
        shift = max(0, int(LARGEST).bit_length() + 8 - logit_fraction(W) - int(rng.integers(0, 8)))
        mult, n_k = int(rng.integers(128, 256)), int(rng.integers(1, PARAMS.max_seq_len + 1))
        return {"mult": mult, "shift": shift, "n_k": n_k}

    def happens(self, often):
        return not self.gaps or self.rng.random() < often

    def look(self):
        """One clock cycle."""
        if self.softmax.finished:
            self._finish(self.taken.popleft())
        self._arrive()
        if not self.head and self.to_come and self.happens(0.06):
            self.head = self.to_come.popleft()
            self.held.setdefault(self.clock.now, {}).update(self.head.job)
        self.held.setdefault(self.clock.now, {})["i_valid"] = int(self.head is not None)
        self.softmax.look()
        if self.to_arrive or self.arriving or self.to_come or self.head or self.taken:
            self.clock.wake(1)

    def _arrive(self):
        """The next tile, if there is room for its row; the row's maxima are complete some cycles after its last."""
        while not self.arriving and self.to_arrive and self.inside < QUEUE:
            self.inside += 1
            self.arriving = deque(self.to_arrive.popleft().tiles)
        if self.arriving and self.happens(0.4):
            self.tiles[self.clock.now] = self.arriving.popleft()
            if not self.arriving:
                self.clock.at(self.unit.max_latency + 1, self.softmax.count_maxima)

    def pop(self):
        """The row is taken."""
        self.expected["i_ready"][self.clock.now] = {}
        row, self.head = self.head, None
        self.taken.append(row)
        return row

    def push(self, row):
        """The row that was taken has its steps from the next cycle on; the means follow their address by a cycle."""
        for cycle in range(self.clock.now + 1, self.clock.now + 1 + softmax_steps(row.n_tiles, row.stand_in, PARAMS)):
            self.values.setdefault(cycle, {}).update({"o_mean_head": row.place, "o_mean_row": row.row})
            self.held.setdefault(cycle + 1, {}).update({"i_mean_mean": row.mean, "i_mean_n_pruned": row.n_pruned})

    def _finish(self, row):
        """The row was finished in the last cycle: its weights are read back, from then on."""
        finished, p = self.clock.now - 1, row.p
        self.softmax.finished -= 1
        self.expected["o_finished"][finished] = row.sums
        digits = np.stack(split(p, W)[::-1], -1)
        self.read = max(self.read, finished)
        for n, slot in enumerate(row.slots):
            self.held.setdefault(self.read, {})["i_weight_slot"] = slot
            self.values.setdefault(self.read + 1, {})["o_weights"] = digits[:, n * TILE : (n + 1) * TILE]
            self.read += 1
        self.clock.at(max(1, self.read + 1 - self.clock.now), self._leave)

    def _leave(self):
        self.inside -= 1


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def rows(dut, gaps):
    """Rows of no tile to the most, with and without a stand-in, as close as they may follow each other."""
    rng = bench_rng()
    most = PARAMS.score_slots // (QUEUE + 1)
    lengths = [most, *(int(rng.choice([0, 1, 2, rng.integers(1, min(most, 8) + 1)])) for _ in range(59))]
    schedule = Schedule(rng, lengths, gaps)
    assert len(schedule.expected["o_finished"]) == len(lengths)
    await play(dut, {"i_tile_valid": schedule.tiles}, schedule.held, schedule.expected, schedule.values)


@on_cores("quick", "halves", "encoder")
def test_softmax_unit(simulator, core):
    run(SoftmaxUnit(CORES[core]), __name__, simulator, core)
