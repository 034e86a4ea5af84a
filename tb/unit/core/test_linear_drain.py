"""LinearDrain against golden.bits.encoder.linear_head, and its beats against docstring and cycle model."""

from collections import deque

import cocotb
import numpy as np
import pytest
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.core.attention_core import attend
from hdp_hw.golden.cycles.core.drain import row_beats
from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.linear_drain import LinearDrain
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from tb.lib.linear_layers import random_layer, random_table
from tb.lib.lockstep import pack, read, start
from tb.lib.simulation import SIMULATORS
from tb.unit.block_bench import CORES, PARAMS, bench_rng, bits, run


def block(params):
    return LinearDrain(params, Drain(params, SoftmaxUnit(params).sums_layout).leaving_layout)


class Bench:
    """What is around the drain: rows whose sums come at random, the score slots, and a queue whose sink may refuse."""

    def __init__(self, dut, rng, jobs, table, idle=0.0, busy=0.0):
        self.dut, self.rng, self.idle, self.busy = dut, rng, idle, busy
        self.block = block(PARAMS)
        self.rows, self.beats, self.shapes = deque(), [], [{"n_q": 1, "words": 0, "activation": 0}] * 3
        self.base, self.filled, self.freed, self.queue = 0, 0, 0, deque()
        for index, job in enumerate(jobs):
            self._add(index, job, table)

    def _add(self, index, job, table):
        """A head's rows and what they give; a job without settings is a refused head."""
        place = {"head": index % 3, "half": index % 2}
        if job is None:
            self.rows.append((index, place | {"error": 1, "empty": 1, "last": 1}, None))
            return
        settings, tile = job.settings, PARAMS.tile
        products = np.zeros((-(-settings.n_q // tile) * tile, settings.n_k), np.int64)
        products[: settings.n_q] = job.q @ job.k.T
        n_tiles, n_rows = settings.n_k // tile, len(products) // tile
        for row in range(n_rows):
            sums = products[row * tile : (row + 1) * tile].reshape(tile, n_tiles, tile).swapaxes(0, 1)
            record = place | {"row": row, "n_tiles": n_tiles, "base": self.base, "last": int(row == n_rows - 1)}
            self.rows.append((index, record, dict(zip(self._ring(n_tiles), sums))))
        output = attend(job.q, job.k, job.v, settings, PARAMS, table).output.reshape(-1, PARAMS.out_lanes)
        self.beats += [(bits(self.block.o.data.shape(), x), 1, int(n == len(output) - 1)) for n, x in enumerate(output)]

    def _ring(self, n):
        """The next n score slots."""
        slots = [(self.base + k) % PARAMS.score_slots for k in range(n)]
        self.base = (self.base + n) % PARAMS.score_slots
        return slots

    async def load(self, table):
        """The table and the scales of the two heads whose rows come first."""
        dut = self.dut
        dut.i_segment_valid.value = 1
        for index, (left, slope) in enumerate(table.tolist()):
            dut.i_segment_index.value = index
            dut.i_segment_left.value, dut.i_segment_slope.value = pack(left, 16), pack(slope, 16)
            await RisingEdge(dut.aclk)
        dut.i_segment_valid.value = 0

    async def write_scales(self, index, job):
        dut = self.dut
        for channel, row in enumerate([] if job is None else job.v):
            value = int.from_bytes(bytes(row.tolist()), "little")
            dut.i_scales_valid.value, dut.i_scales_half.value, dut.i_scales_channel.value = 1, index % 2, channel
            for name, field in self.block.i_scales.scales.shape():
                width = field.shape.width
                getattr(dut, f"i_scales_scales_{name}").value = (value >> field.offset) & ((1 << width) - 1)
            await RisingEdge(dut.aclk)
        dut.i_scales_valid.value = 0

    async def head(self, index, job):
        """Run a head to its end; returns cycles at which its beats were taken, and those at which rows were."""
        dut, rng = self.dut, self.rng
        await self.write_scales(index, job)
        if job is not None:
            shape = {name: int(getattr(job.settings, name)) for name in ("n_q", "words", "activation")}
            self.shapes[index % 3] = shape
            dut.i_shapes.value = bits(self.block.i_shapes.shape(), self.shapes)
        rows = deque()
        while self.rows and self.rows[0][0] == index:
            rows.append(self.rows.popleft()[1:])
        uncounted, slots = deque(sums for _, sums in rows if sums), {}
        nothing = np.zeros((PARAMS.tile, PARAMS.tile), int)
        asked, taken, left = deque([nothing.flat[: PARAMS.softmax_lanes]] * 2), [], []
        valid, ended, cycle = False, False, 0
        while not ended:
            cycle += 1
            assert cycle < 100_000, "the head never ends"
            room = PARAMS.score_slots - (self.filled - self.freed)
            counts = bool(uncounted) and len(uncounted[0]) <= room and rng.random() >= self.idle
            dut.i_complete.value = int(counts)
            if counts:
                self.filled += len(uncounted[0])
                slots |= uncounted.popleft()
            if rows and not valid and rng.random() >= self.idle:
                valid = True
                for name, value in rows[0][0].items():
                    getattr(dut, f"i_{name}").value = value
                for name, _ in row_job_layout(PARAMS):
                    if name not in rows[0][0]:
                        getattr(dut, f"i_{name}").value = 0
            dut.i_valid.value = int(valid)
            dut.i_sums.value = bits(self.block.i_sums.shape(), asked.popleft())
            await RisingEdge(dut.aclk)
            tile = slots.get(read(dut.o_slot, "o_slot"), nothing)
            asked.append(tile.reshape(-1, PARAMS.softmax_lanes)[read(dut.o_step, "o_step")])
            self.freed += read(dut.o_freed, "o_freed")
            if valid and read(dut.i_ready, "i_ready"):
                taken.append(cycle)
                rows.popleft()
                valid = False
            leaves = bool(self.queue) and rng.random() >= self.busy
            if leaves:
                *beat, ended = self.queue.popleft()
                if beat[1]:
                    left.append(cycle)
                    assert (*beat, ended) == self.beats.pop(0), f"head {index}, beat {len(left)}"
            dut.i_left.value = int(leaves)
            if read(dut.o_valid, "o_valid"):
                self.queue.append((read(dut.o_data, "o_data"), read(dut.o_beat, "o_beat"), read(dut.o_ends, "o_ends")))
                assert len(self.queue) <= LinearDrain.depth
        assert not rows and not uncounted and not valid
        return taken, left

    async def run(self, jobs):
        await start(self.dut)
        self.dut.i_complete.value = 0
        times = []
        for index, job in enumerate(jobs):
            times.append(await self.head(index, job))
        for _ in range(3):
            await RisingEdge(self.dut.aclk)
            self.freed += read(self.dut.o_freed, "o_freed")
        assert not self.beats and self.freed == self.filled
        return times


def jobs_of(rng, n):
    """Layers of all kinds, refused heads among them."""
    step = PARAMS.channel_step
    jobs = [random_layer(rng, PARAMS, n_inputs=int(rng.integers(1, 9)) * PARAMS.slice_width) for _ in range(n)]
    return [*jobs, None, random_layer(rng, PARAMS, 1, step, PARAMS.slice_width), None]


async def play(dut, n, idle=0.0, busy=0.0):
    rng = bench_rng()
    jobs, table = jobs_of(rng, n), random_table(rng)
    bench = Bench(dut, rng, jobs, table, idle, busy)
    await start(dut)
    await bench.load(table)
    return jobs, await bench.run(jobs)


@cocotb.test()
async def free(dut):
    """Nothing waits: the clock cycles of every row and beat."""
    jobs, times = await play(dut, 12)
    for job, (taken, left) in zip(jobs, times):
        if job is None:
            continue
        n_beats = [min(PARAMS.tile, job.settings.n_q - row * PARAMS.tile) for row in range(len(taken))]
        n_beats = [n * row_beats(job.settings, PARAMS) for n in n_beats]
        assert left == [
            t + (k + 1) * PARAMS.out_lanes + LinearDrain.latency + 1 for t, n in zip(taken, n_beats) for k in range(n)
        ]
        assert np.diff(taken).tolist() == [n * PARAMS.out_lanes for n in n_beats[:-1]]


@cocotb.test()
async def stalls(dut):
    """Rows, their sums, the sink and the status take their time."""
    await play(dut, 12, idle=0.3, busy=0.4)


@cocotb.test()
async def refusing_sink(dut):
    """Hardly a beat is taken."""
    await play(dut, 3, busy=0.9)


@pytest.mark.parametrize("core", ["encoder", "wide_encoder"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_linear_drain(simulator, core):
    run(block(CORES[core]), __name__, simulator, core)
