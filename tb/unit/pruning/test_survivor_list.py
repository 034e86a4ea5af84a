"""SurvivorList against golden.bits.pruning.survivor_list and, for its cycles, golden.cycles.pruning.survivor_list."""

import cocotb
import numpy as np

from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.golden.bits.pruning.survivor_list import survivor_list
from hdp_hw.golden.cycles.pruning.survivor_list import listed_after, offered_after
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.spec.settings import HeadSettings
from tb.lib.play import play
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run

TILE, WORD = PARAMS.tile, PARAMS.mask_word


def random_mask(rng, settings):
    """Boolean [blocks_q, blocks_k], of all densities from none to all; nothing where no block exists."""
    existing = existing_blocks(settings, TILE)
    shape = len(existing), -(-settings.n_k // TILE)
    density = rng.choice([0, 1, 0.1, 0.5, 0.9], (shape[0], 1))
    return (rng.random(shape) < density) & (np.arange(shape[1]) < existing[:, None])


def mask_words(mask, head):
    """``i_mask`` beats of a head's mask."""
    for row, bits in enumerate(mask):
        for index in range(-(-len(bits) // WORD)):
            word = sum(int(bit) << k for k, bit in enumerate(bits[index * WORD : (index + 1) * WORD]))
            yield {"i_mask_head": head, "i_mask_row": row, "i_mask_index": index, "i_mask": word}


class Schedule:
    """Ports by clock cycle of heads that follow one another; slots come back up to ``delay`` cycles after a row."""

    def __init__(self, rng, busy, delay):
        self.rng, self.delay = rng, delay
        self.ready = rng.random(100_000) >= busy
        self.beats = {"i_start": {}, "i_mask_valid": {}}
        self.held, self.expected = {}, {"o_valid": {}, "o_survivor_valid": {}, "o_busy": {}}
        self.cycle, self.slot, self.listed, self.freed, self.waited = 3, 0, 0, {}, 0

    def used(self, cycle):
        """Slots in use."""
        return self.listed - sum(n for freed, n in self.freed.items() if freed < cycle)

    def add(self, settings, mask, everything, nothing, head):
        """One head: the mask is written, then walked over, as fast as the slots and the receiver allow."""
        cycle = self.cycle
        words = list(mask_words(mask, head))
        self.beats["i_mask_valid"] |= {cycle + n: word for n, word in enumerate(words)}
        cycle += len(words)
        ports = {f"i_{name}": int(getattr(settings, name)) for name in ("n_q", "n_k", "causal")}
        self.held.setdefault(cycle, {}).update(ports | {"i_head": head, "i_all": everything, "i_none": nothing})
        self.beats["i_start"][cycle] = {}
        start, state_free, valid = cycle, 0, cycle + BlockRows.latency
        executed = np.ones_like(mask) if everything else mask & (not nothing)
        rows = survivor_list(executed, settings, PARAMS, self.slot)
        for row in rows:
            begin = max(valid, state_free)
            while self.used(begin) + row.n_blocks > PARAMS.score_slots:
                begin += 1
                self.waited += 1
            walked = executed[row.row, : row.n_blocks], not (everything or nothing), PARAMS
            listed = listed_after(*walked)
            for n, (after, column) in enumerate(zip(listed, row.columns, strict=True)):
                slot = (row.base + n) % PARAMS.score_slots
                survivor = {"o_slot": slot, "o_column": column}
                self.expected["o_survivor_valid"][begin + after + SurvivorList.latency] = survivor
            cycle = begin + offered_after(*walked)
            n_tiles = len(row.columns)
            offered = {"o_row": row.row, "o_base": row.base, "o_n_blocks": row.n_blocks, "o_n_tiles": n_tiles}
            self.expected["o_valid"][cycle] = offered = offered | {"o_last": row is rows[-1]}
            while not self.ready[cycle]:
                cycle += 1
                self.expected["o_valid"][cycle] = offered
            valid, state_free = begin + BlockRows.latency, cycle + 1
            self._free(cycle, n_tiles)
        self.slot = (rows[-1].base + len(rows[-1].columns)) % PARAMS.score_slots
        self.expected["o_busy"] |= {c: {} for c in range(start + 1, cycle + 1)}
        self.cycle = cycle + 1

    def _free(self, taken, n_tiles):
        """The row's slots come back, in the order of the rows."""
        cycle = taken + int(self.rng.integers(1, self.delay + 1))
        cycle = max([cycle, *(freed + 1 for freed in self.freed)])
        self.listed += n_tiles
        self.freed[cycle] = n_tiles

    async def play(self, dut):
        for cycle, n in self.freed.items():
            self.held.setdefault(cycle, {})["i_freed"] = n
            self.held.setdefault(cycle + 1, {}).setdefault("i_freed", 0)
        last = max(self.cycle, *self.held)
        for cycle in range(last + 1):
            self.held.setdefault(cycle, {})["o_ready"] = int(self.ready[cycle])
        await play(dut, self.beats, self.held, self.expected)


@cocotb.test()
@cocotb.parametrize(busy=[0, 0.5])
async def random_masks(dut, busy):
    """Heads of all shapes, one after another: masks, everything, nothing."""
    rng = bench_rng()
    schedule = Schedule(rng, busy, delay=20)
    for index in range(30):
        n_q, n_k = rng.integers(1, 6 * TILE, 2).tolist()
        if index % 6 == 0:
            n_k = PARAMS.max_seq_len - int(rng.integers(0, TILE))
        settings = HeadSettings(n_q, n_k, PARAMS.slice_width, causal=bool(index % 2))
        schedule.add(settings, random_mask(rng, settings), int(index % 5 == 3), int(index % 5 == 4), index % 3)
    await schedule.play(dut)


@cocotb.test()
async def slots_run_out(dut):
    """The longest rows, whose slots come back late: rows wait for exactly the slots of all their blocks."""
    rng = bench_rng()
    schedule = Schedule(rng, 0.1, delay=6 * PARAMS.max_blocks)
    for index in range(4):
        settings = HeadSettings(5 * TILE, PARAMS.max_seq_len, PARAMS.slice_width)
        schedule.add(settings, random_mask(rng, settings), int(index == 1), 0, index % 3)
    assert schedule.slot != schedule.listed  # the ring went round
    assert schedule.waited > 10
    await schedule.play(dut)


@cocotb.test()
async def three_masks_are_kept(dut):
    """Masks of three heads are written first, and walked over in another order."""
    rng = bench_rng()
    schedule = Schedule(rng, 0, delay=3)
    settings = HeadSettings(3 * TILE, PARAMS.max_seq_len, PARAMS.slice_width)
    masks = [random_mask(rng, settings) for _ in range(3)]
    for head, mask in enumerate(masks):
        words = list(mask_words(mask, head))
        schedule.beats["i_mask_valid"] |= {schedule.cycle + n: word for n, word in enumerate(words)}
        schedule.cycle += len(words)
    for head in (2, 0, 1):
        before = dict(schedule.beats["i_mask_valid"])
        schedule.add(settings, masks[head], 0, 0, head)
        schedule.beats["i_mask_valid"] = before  # nothing is written again
    await schedule.play(dut)


@on_cores()
def test_survivor_list(simulator, core):
    run(SurvivorList(CORES[core]), __name__, simulator, core)
