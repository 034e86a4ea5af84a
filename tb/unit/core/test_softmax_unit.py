"""SoftmaxUnit against golden.bits.core.softmax_unit."""

from collections import deque

import cocotb
import numpy as np

from hdp_hw.golden.bits.core.softmax_unit import stand_in, weights
from hdp_hw.golden.bits.digits import split
from hdp_hw.golden.cycles.core.softmax_unit import softmax_steps
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.tables import logit_fraction
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run

TILE, W = PARAMS.tile, PARAMS.digit_width
LARGEST = 4 ** (PARAMS.operand_width - 1) * PARAMS.max_head_dim  #: largest magnitude of a score
QUEUE = 4  #: rows that have begun to come in and are not finished


class Row:
    """A row job: scores and valid elements of its tiles [T, n_tiles * T], mean scores of its pruned keys."""

    def __init__(self, rng, n_tiles, scales):
        self.n_tiles, self.stand_in = n_tiles, int(rng.integers(0, 2))
        self.head, self.row = int(rng.integers(0, 3)), int(rng.integers(0, PARAMS.max_blocks))
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
        self.scale = scales[self.head]

    def expected(self):
        """``(P, fields of o_sums)``."""
        mult, shift, n_k = (self.scale[name] for name in ("mult", "shift", "n_k"))
        s, elements = self.s, self.elements
        if not self.n_tiles:  # no key at all: its maximum is below every mean
            s, elements = np.zeros((TILE, 1), np.int64), np.zeros((TILE, 1), bool)
        p, row_max = weights(s, elements, mult, shift, W)
        e = stand_in(row_max, self.mean[:, None], mult, shift, W)[:, 0] * self.stand_in
        n_pruned = self.n_pruned if self.n_tiles else n_k
        return p, {"o_sums_weight_sum": p.sum(1), "o_sums_e_pruned": e, "o_sums_n_pruned": n_pruned}


class Schedule:
    """Ports by clock cycle of rows that follow one another."""

    def __init__(self, rng, gaps):
        self.rng, self.gaps, self.unit = rng, gaps, SoftmaxUnit(PARAMS)
        self.scales = [self.scale(rng) for _ in range(3)]
        self.tiles, self.values = {}, {}
        self.held = {0: {"i_scales": bits(self.unit.i_scales.shape(), self.scales)}}
        self.expected = {"o_finished": {}, "i_ready": {}}
        self.slot, self.arrival, self.offer, self.free, self.read = 0, 3, 3, 3, 3
        self.done = deque([0] * QUEUE, QUEUE)  # cycles in which the last rows were read

    @staticmethod
    def scale(rng):
        """Scores' logits range from flat to saturating ones."""
        shift = max(0, int(LARGEST).bit_length() + 8 - logit_fraction(W) - int(rng.integers(0, 8)))
        mult, n_k = int(rng.integers(128, 256)), int(rng.integers(1, PARAMS.max_seq_len + 1))
        return {"mult": mult, "shift": shift, "n_k": n_k}

    def idle(self, most):
        return int(self.rng.integers(0, most + 1)) if self.gaps else 0

    def add(self, n_tiles):
        row = Row(self.rng, n_tiles, self.scales)
        base, slots = self.slot, [(self.slot + n) % PARAMS.score_slots for n in range(n_tiles)]
        # Tiles arrive, when there is room for the row.
        self.arrival = max(self.arrival, self.done[0] + 1)
        for n, slot in enumerate(slots):
            self.arrival += 1 + self.idle(3)
            keys = slice(n * TILE, (n + 1) * TILE)
            self.tiles[self.arrival] = {
                "i_slot": slot,
                "i_scores": row.s[:, keys],
                "i_elements": row.elements[:, keys],
                "i_first_tile": n == 0,
                "i_last_tile": n == n_tiles - 1,
            }
        # The row is offered, and taken once its maxima are complete.
        self.offer += 1 + self.idle(30)
        complete = self.arrival + self.unit.max_latency + 1 if n_tiles else 0
        taken = max(self.offer, self.free, complete)
        job = {"head": row.head, "row": row.row, "base": base, "n_tiles": n_tiles, "empty": not n_tiles}
        job |= {"stand_in": row.stand_in}
        offer = {f"i_{name}": value for name, value in job.items()} | {"i_valid": 1}
        self.held.setdefault(self.offer, {}).update(offer)
        self.held.setdefault(taken + 1, {})["i_valid"] = 0
        self.expected["i_ready"][taken] = {}
        self.offer = taken
        steps = softmax_steps(n_tiles, row.stand_in, PARAMS)
        self.free = last = taken + steps
        for cycle in range(taken + 1, last + 1):  # the means follow the address by a cycle
            self.values.setdefault(cycle, {}).update({"o_mean_head": row.head, "o_mean_row": row.row})
            self.held.setdefault(cycle + 1, {}).update({"i_mean_mean": row.mean, "i_mean_n_pruned": row.n_pruned})
        p, sums = row.expected()
        finished = last + self.unit.latency
        self.expected["o_finished"][finished] = sums
        # Its weights are read back, from then on.
        digits = np.stack(split(p, W)[::-1], -1)
        self.read = max(self.read, finished)
        for n, slot in enumerate(slots):
            self.held.setdefault(self.read, {})["i_weight_slot"] = slot
            of_tile = digits[:, n * TILE : (n + 1) * TILE]
            self.values.setdefault(self.read + 1, {})["o_weights"] = of_tile
            self.read += 1
        self.done.append(self.read)
        self.slot = (base + n_tiles) % PARAMS.score_slots


@cocotb.test()
@cocotb.parametrize(gaps=[False, True])
async def rows(dut, gaps):
    """Rows of no tile to the most, with and without a stand-in, as close as they may follow each other."""
    rng = bench_rng()
    schedule = Schedule(rng, gaps)
    most = PARAMS.score_slots // (QUEUE + 1)
    for index in range(60):
        schedule.add(most if index == 0 else int(rng.choice([0, 1, 2, rng.integers(1, min(most, 8) + 1)])))
    await play(dut, {"i_tile_valid": schedule.tiles}, schedule.held, schedule.expected, schedule.values)


@on_cores("quick", "halves", "encoder")
def test_softmax_unit(simulator, core):
    run(SoftmaxUnit(CORES[core]), __name__, simulator, core)
