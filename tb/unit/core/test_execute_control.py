"""ExecuteControl against golden.bits.pruning.survivor_list; its clock cycles are SurvivorList's, which has a bench."""

from types import SimpleNamespace

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from hdp_hw.golden.bits.pruning.geometry import existing_blocks
from hdp_hw.golden.bits.pruning.survivor_list import survivor_list
from hdp_hw.rtl.core.execute_control import ExecuteControl
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.settings import Verdict
from tb.lib.lockstep import pack, read, start
from tb.unit.block_bench import CORES, PARAMS, bench_rng, on_cores, run
from tb.unit.core.control_bench import entry_bits, random_entry

TILE, WORD = PARAMS.tile, PARAMS.mask_word


class Head:
    """A head of random shape, mask, verdict and settings, or a refused one; ``rows`` is what must come out."""

    def __init__(self, rng, index):
        self.place, self.error = index % HEADS_INSIDE, bool(rng.random() < 0.15)
        n_q, n_k = rng.integers(1, min(PARAMS.max_seq_len, 6 * TILE), 2).tolist()
        self.entry = random_entry(rng, n_q, n_k, causal=int(index % 3 == 1))
        verdicts = [Verdict.SPARSE, Verdict.SPARSE, Verdict.PRUNED, Verdict.FALLBACK, Verdict.DENSE]
        self.verdict = verdicts[index % len(verdicts)]
        self.entry["verdict"], settings = int(self.verdict), SimpleNamespace(**self.entry["settings"])
        existing = existing_blocks(settings, TILE)
        self.mask = rng.random((len(existing), -(-n_k // TILE))) < rng.choice([0.1, 0.5, 0.9])
        self.mask &= np.arange(self.mask.shape[1]) < existing[:, None]
        self.full = self.verdict in (Verdict.FALLBACK, Verdict.DENSE)
        executed = np.ones_like(self.mask) if self.full else self.mask & (self.verdict != Verdict.PRUNED)
        pruned = self.verdict == Verdict.PRUNED
        self.stand_in = settings.mean_output if pruned else settings.compensate and not self.full
        self.executed, self.settings = executed, settings

    def words(self):
        """Words of the mask."""
        for row, bits in enumerate(self.mask):
            for index in range(-(-len(bits) // WORD)):
                word = sum(int(bit) << k for k, bit in enumerate(bits[index * WORD : (index + 1) * WORD]))
                yield {"i_mask_row": row, "i_mask_index": index, "i_mask_word": word}

    def rows(self, slot):
        """``[(job, columns, n_blocks)]`` of the rows, from score slot ``slot`` on."""
        if self.error:
            return [({"error": 1, "empty": 1, "last": 1}, [], None)]
        rows = survivor_list(self.executed, self.settings, PARAMS, slot)
        jobs = []
        for row in rows:
            n_tiles = len(row.columns)
            job = {"row": row.row, "base": row.base, "n_tiles": n_tiles, "empty": n_tiles == 0, "error": 0}
            job |= {"full": self.full, "stand_in": self.stand_in, "half": self.entry["half"]}
            job |= {"head": self.place, "last": row is rows[-1]}
            jobs.append((job, row.columns.tolist(), int(row.n_blocks)))
        return jobs


def drive(dut, **ports):
    for port, value in ports.items():
        getattr(dut, port).value = value


@cocotb.test()
@cocotb.parametrize(busy=[0, 0.6])
async def heads(dut, busy):
    """Heads one after another; rows are taken with pauses, and their slots come back in time."""
    rng = bench_rng()
    await start(dut)
    entries = [random_entry(rng) for _ in range(HEADS_INSIDE)]
    listed, slot, freed = [], 0, 0
    for index in range(24):
        head = Head(rng, index)
        entries[head.place] = head.entry
        drive(dut, i_mask_head=head.place, i_retired=0, i_freed=0, i_ready=0, o_ready=0)
        dut.i_entries.value, dut.i_failed.value = entry_bits(entries), int(head.error) << head.place
        for word in head.words():
            drive(dut, i_mask_valid=1, **word)
            await RisingEdge(dut.aclk)
        drive(dut, i_mask_valid=0, i_ready=1 << head.place)
        counted = None  # what the table must be told in this clock cycle
        expected = head.rows(slot)
        for job, columns, n_blocks in expected:
            taken = False
            while not taken:
                ready = rng.random() >= busy
                drive(dut, o_ready=int(ready), i_freed=freed)
                freed = 0
                await RisingEdge(dut.aclk)
                told = read(dut.o_row_head, "o_row_head")
                assert told == (1 << head.place if counted else 0), f"head {index}: o_row_head is {told}"
                if counted:
                    assert (int(dut.o_row_blocks.value), int(dut.o_row_tiles.value)) == counted
                counted = None
                if read(dut.o_survivor_valid, "o_survivor_valid"):
                    listed.append((int(dut.o_slot.value), int(dut.o_column.value)))
                if not read(dut.o_valid, "o_valid"):
                    continue
                for name, field in row_job_layout(PARAMS):
                    if name in job:
                        got = int(getattr(dut, f"o_{name}").value)
                        assert got == pack(job[name], field.width), f"head {index}, {job}: {name} is {got}"
                taken = ready
            slots = [(slot + n) % PARAMS.score_slots for n in range(len(columns))]
            assert listed == list(zip(slots, columns)), f"head {index}, row {job}: survivors {listed}, not {columns}"
            listed, freed = [], len(columns)
            slot = (slot + len(columns)) % PARAMS.score_slots
            counted = None if job["error"] else (n_blocks, len(columns))
        drive(dut, o_ready=0, i_freed=freed)
        freed = 0
        for _ in range(3):  # the head is not begun again
            await RisingEdge(dut.aclk)
            assert not read(dut.o_valid, "o_valid")
            told = read(dut.o_row_head, "o_row_head")
            assert told == (1 << head.place if counted else 0)
            counted = None
            dut.i_freed.value = 0
        drive(dut, i_retired=1 << head.place, i_ready=0)
        await RisingEdge(dut.aclk)


@on_cores("encoder")
def test_execute_control(simulator, core):
    run(ExecuteControl(CORES[core]), __name__, simulator, core)
