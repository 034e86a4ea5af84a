"""Drain against its golden twins: golden.cycles has what it takes and gives when, golden.bits the elements."""

from collections import deque
from types import SimpleNamespace

import cocotb
import numpy as np

from hdp_hw.golden.bits.array.tile_array import context, value_total
from hdp_hw.golden.bits.core.drain import drain
from hdp_hw.golden.cycles.clock import Clock
from hdp_hw.golden.cycles.core import drain as cycles
from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.tables import exp2_coefficients
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, on_cores, run, signed_integers

TILE, W, SLICE = PARAMS.tile, PARAMS.digit_width, PARAMS.slice_width
ONE = exp2_coefficients(W)[0]


def block(params):
    return Drain(params, SoftmaxUnit(params).sums_layout)


class Head:
    """A head of one to a few block rows, or the first and the last rows of a long one, or a refused one."""

    def __init__(self, rng, index):
        self.index, self.place, self.half, self.error = index, index % 3, index % 2, rng.random() < 0.15
        self.n_q = PARAMS.max_seq_len - index if index < 2 else int(rng.integers(1, 4 * TILE + 1))
        self.slices = PARAMS.max_slices if index == 0 else int(rng.integers(1, PARAMS.max_slices + 1))
        settings = SimpleNamespace(n_q=self.n_q, head_dim=self.slices * SLICE, linear=False)
        self.plan = SimpleNamespace(settings=settings, verdict=Verdict.ERROR if self.error else Verdict.SPARSE)
        n_k = PARAMS.max_seq_len if index == 0 else int(rng.integers(1, PARAMS.max_seq_len + 1))
        self.v = signed_integers(rng, (n_k, self.slices * SLICE), PARAMS.operand_width)
        total = np.zeros(-(-self.slices // 2) * 2 * SLICE, np.int64)
        total[: self.slices * SLICE] = value_total(self.v, W)
        self.totals = total.reshape(-1, 2 * SLICE)  #: by word
        n_rows = 1 if self.error else -(-self.n_q // TILE)
        self.rows = [Row(rng, self, row, row == n_rows - 1) for row in range(n_rows) if row < 2 or row >= n_rows - 2]


class Row:
    """A row job, what the array and softmax deliver for it, and its beats ``(data, last)``, None for a refused head."""

    def __init__(self, rng, head, row, last):
        n_k = len(head.v)
        kept = head.v[rng.random(n_k) < rng.choice([0, 0.5, 1])]
        kept = kept[:0] if head.error else kept
        self.head, self.row, self.n_tiles, self.last = head, row, -(-len(kept) // TILE), last
        self.job = {"head": head.place, "half": head.half, "row": row, "n_tiles": self.n_tiles}
        self.job["empty"] = int(not self.n_tiles)
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
        self.beats_of_row = head.slices * SLICE // PARAMS.out_lanes

    def totals(self, beat):
        """``(ports, total)``: which word of the totals a beat asks for, and its value."""
        word = beat % self.beats_of_row * PARAMS.out_lanes // SLICE // 2
        return {"o_total_half": self.head.half, "o_total_word": word}, self.head.totals[word]


class Schedule:
    """The neighbours of golden.cycles' drain, and all ports, cycle by cycle.

    This is what the drain takes rows from, sends beats to and reports heads to. Rows, their sums and their slices come
    at times (``idle``); beats are refused, and reports wait, at times (``busy``).
    """

    stalls = True  #: the output may be refused

    def __init__(self, rng, heads, idle, busy):
        self.rng, self.idle, self.busy, self.block = rng, idle, busy, block(PARAMS)
        self.to_come = deque(row for head in heads for row in head.rows)
        self.unwritten = deque(row for row in self.to_come if row.n_tiles)  # rows whose slices come
        self.beats = deque(beat for row in self.to_come for beat in row.beats if beat)
        self.slices, self.steps = deque(), deque()
        self.valid = {"i_valid": False, "i_sums_valid": False}
        self.shapes = [{"slices": 0, "n_q": 0}] * 3
        self.held, self.values, self.slice_beats = {}, {}, {}
        names = "i_ready i_sums_ready o_free o_valid o_report"
        self.expected = {name: {} for name in names.split()}
        self.clock = Clock()
        self.clock.blocks = [self]
        self.drain = cycles.Drain(self.clock, PARAMS, rows=self, streams=self, table=self)
        self.stores = self.drain.stores
        self.clock.run()

    def happens(self):
        return self.rng.random() >= self.idle

    def look(self):
        """One clock cycle."""
        cycle, drain, inputs = self.clock.now, self.drain, self.held.setdefault(self.clock.now, {})
        if drain.stores > self.stores:
            self.expected["o_free"][cycle - 1] = {}
        self._offer(inputs)
        self._write()
        self.stores = drain.stores
        self.ready, report_free = (int(self.rng.random() >= self.busy) for _ in range(2))
        self.status = not report_free
        inputs |= {"o_ready": self.ready, "i_report_free": report_free}
        places = drain.places
        drain.look()
        if drain.places < places:
            self._step()
        if self.to_come or drain.row or drain.leaving:
            self.clock.wake(1)

    def _offer(self, inputs):
        """The next row, and its sums, each when it likes."""
        if self.to_come:
            row = self.to_come[0]
            self.shapes[row.head.place] = {"slices": row.head.slices, "n_q": row.head.n_q}
            inputs["i_shapes"] = bits(self.block.i_shapes.shape(), self.shapes)
            for name, ports in (("i_valid", row.job), ("i_sums_valid", row.sums)):
                if not self.valid[name] and self.happens():
                    self.valid[name] = True
                    inputs |= {name.replace("valid", port): value for port, value in ports.items()}
        inputs |= {name: int(valid) for name, valid in self.valid.items()}
        self.head, self.drain.sums = self.to_come[0] if self.valid["i_valid"] else None, self.valid["i_sums_valid"]

    def _write(self):
        """A slice of the next row with tiles, if there is a store for it."""
        if not self.slices and self.unwritten and self.drain.stores and self.happens():
            self.drain.take_store()
            self.slices = deque(self.unwritten.popleft().slices)
        if self.slices and self.happens():
            self.slice_beats[self.clock.now] = self.slices.popleft()
            if not self.slices:
                self.clock.at(1, self.drain.fill_store)

    def _step(self):
        """The row's next step begins a beat; the totals follow it by a cycle."""
        row, n = self.steps.popleft()
        if row.beats[n]:
            self.values[self.clock.now], total = row.totals(n)
            self.held[self.clock.now + 1] = {"i_total": total}

    def pop(self):
        """The row is taken, with its sums."""
        for name in ("i_ready", "i_sums_ready"):
            self.expected[name][self.clock.now] = {}
        self.valid = dict.fromkeys(self.valid, False)
        row = self.to_come.popleft()
        self.steps.extend((row, n) for n in range(len(row.beats)))
        return row

    def beat_taken(self):
        self.expected["o_valid"][self.clock.now] = self.beats[0]
        if self.ready:
            self.beats.popleft()
        return self.ready

    def report(self, head):
        self.expected["o_report"][self.clock.now - 1] = {}


@cocotb.test()
@cocotb.parametrize((("idle", "busy"), [(0, 0), (0.05, 0), (0.05, 0.5), (0, 0.95)]))
async def heads(dut, idle, busy):
    """Heads one after another, of kept and pruned rows, and refused ones."""
    rng = bench_rng()
    schedule = Schedule(rng, [Head(rng, index) for index in range(16)], idle, busy)
    assert len(schedule.expected["o_report"]) == 16 and not schedule.beats
    inputs = {"i_slice_valid": schedule.slice_beats}
    await play(dut, inputs, schedule.held, schedule.expected, schedule.values, idle=0)


@on_cores("narrow", "encoder")
def test_drain(simulator, core):
    run(block(CORES[core]), __name__, simulator, core)
