"""Drain against golden.core.drain."""

from collections import deque

import cocotb
import numpy as np

from golden.array.tile_array import context, value_total
from golden.core.drain import drain
from hdp_hw.core.drain import Drain
from hdp_hw.core.softmax_unit import SoftmaxUnit
from hdp_hw.tables import exp2_coefficients
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run, signed_integers

TILE, W, SLICE = PARAMS.tile, PARAMS.digit_width, PARAMS.slice_width
ONE = exp2_coefficients(W)[0]


def block(params):
    return Drain(params, SoftmaxUnit(params).sums_layout)


class Head:
    """A head of one to a few block rows, or a refused one."""

    def __init__(self, rng, index):
        self.place, self.half, self.error = index % 3, index % 2, rng.random() < 0.15
        self.n_q = int(rng.integers(1, 4 * TILE + 1))
        self.slices = PARAMS.max_slices if index == 0 else int(rng.integers(1, PARAMS.max_slices + 1))
        n_k = PARAMS.max_seq_len if index == 0 else int(rng.integers(1, PARAMS.max_seq_len + 1))
        self.v = signed_integers(rng, (n_k, self.slices * SLICE), PARAMS.operand_width)
        total = np.zeros(-(-self.slices // 2) * 2 * SLICE, np.int64)
        total[: self.slices * SLICE] = value_total(self.v, W)
        self.totals = total.reshape(-1, 2 * SLICE)  #: by word
        n_rows = 1 if self.error else -(-self.n_q // TILE)
        self.rows = [Row(rng, self, row, row == n_rows - 1) for row in range(n_rows)]


class Row:
    """A row job, what the array and softmax deliver for it, and its beats ``(data, last)``, None for a refused head."""

    def __init__(self, rng, head, row, last):
        n_k = len(head.v)
        kept = head.v[rng.random(n_k) < rng.choice([0, 0.5, 1])]
        kept = kept[:0] if head.error else kept
        self.head, self.n_tiles = head, -(-len(kept) // TILE)
        self.job = {"head": head.place, "half": head.half, "row": row, "n_tiles": self.n_tiles}
        self.job |= {"last": int(last), "error": int(head.error)}
        p = rng.integers(0, PARAMS.digit_max + 1, (TILE, len(kept)))
        p = np.full_like(p, PARAMS.digit_max) if rng.random() < 0.2 else p
        e_pruned = rng.choice([0, ONE]) if rng.random() < 0.6 else rng.integers(0, ONE + 1, TILE)
        e_pruned = np.broadcast_to(e_pruned, TILE)
        n_pruned = n_k - len(kept)
        self.sums = {"weight_sum": p.sum(1), "e_pruned": e_pruned, "n_pruned": n_pruned}
        self.context, kept_sum = context(p, kept, W), value_total(kept, W)
        total = value_total(head.v, W)
        y = drain(self.context, p.sum(1)[:, None], e_pruned[:, None], n_pruned, total, kept_sum, PARAMS)
        beats = y[: head.n_q - row * TILE].reshape(-1, PARAMS.out_lanes)
        self.beats = [{"o_data": beat, "o_last": int(last and n == len(beats) - 1)} for n, beat in enumerate(beats)]
        self.slices = [
            {
                "i_slice": index,
                "i_last_slice": index == head.slices - 1,
                "i_context": self.context[:, index * SLICE : (index + 1) * SLICE],
                "i_value_sum": kept_sum[index * SLICE : (index + 1) * SLICE],
            }
            for index in range(head.slices)
        ]
        if head.error:
            self.beats, self.slices = [None], []
        #: totals that each beat needs: {port: value}, {port: value a cycle later}
        self.parts = head.slices * SLICE // PARAMS.out_lanes

    def totals(self, beat):
        """``(ports, total)``: which word of the totals a beat asks for, and its value."""
        word = beat % self.parts * PARAMS.out_lanes // SLICE // 2
        return {"o_total_half": self.head.half, "o_total_word": word}, self.head.totals[word]
