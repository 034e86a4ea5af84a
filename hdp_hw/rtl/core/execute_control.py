"""Which head is executed, and which blocks of its rows."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay
from hdp_hw.rtl.core.head_cursor import HeadCursor
from hdp_hw.rtl.core.jobs import head_entry_layout, mask_trace_layout, row_job_layout
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.settings import Verdict


class ExecuteControl(wiring.Component):
    """Takes heads that are predicted and loaded, one after the other, and lists the blocks that survive, row by row.

    A refused head is a single row without tiles, marked as an error.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries.
    i_ready : In(unsigned(HEADS_INSIDE))
        Bits of the entries that have a verdict and all of whose planes are there, one clock cycle ahead.
    i_failed : In(unsigned(HEADS_INSIDE))
        The head table's bits of the heads that have an error.
    i_retired : In(unsigned(HEADS_INSIDE))
        The head table gives back the entry whose bit is set, at most one.
    i_mask : In(mask_trace_layout(params))
        The predictor's mask, word by word.
    i_mask_head : In(unsigned(2))
        With ``i_mask``: the entry of the head that is predicted.
    i_freed : In(unsigned(params.n_blocks_width))
        The sequencer gives back so many score slots.
    o : Out(stream.Signature(row_job_layout(params)))
        Rows for the row pipeline, which wait until they are taken.
    o_survivor_valid : Out(unsigned(1))
        A block that survives is listed, no later than its row is offered.
    o_slot : Out(unsigned(params.score_slot_width))
        With ``o_survivor_valid``: the block's score slot.
    o_column : Out(unsigned(params.block_width))
        With ``o_survivor_valid``: its block column.
    o_row_head : Out(unsigned(HEADS_INSIDE))
        For the head table: the bit of the head of which a row was taken; else 0. Refused heads have none.
    o_row_blocks : Out(unsigned(params.n_blocks_width))
        With ``o_row_head``: the row's blocks with a valid element.
    o_row_tiles : Out(unsigned(params.n_blocks_width))
        With ``o_row_head``: the row's blocks that survive.

    Timing
    ------
    SurvivorList's, from the clock cycle on in which a head is ready and the head before it has left. A refused head
    takes one clock cycle. ``o_row_head`` follows the row of ``o`` by one clock cycle.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.survivor_list``, ``golden.cycles.core.attention_core``.
    """

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_entries": In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE)),
                "i_ready": In(unsigned(HEADS_INSIDE)),
                "i_failed": In(unsigned(HEADS_INSIDE)),
                "i_retired": In(unsigned(HEADS_INSIDE)),
                "i_mask": In(mask_trace_layout(params)),
                "i_mask_head": In(unsigned(2)),
                "i_freed": In(unsigned(params.n_blocks_width)),
                "o": Out(stream.Signature(row_job_layout(params))),
                "o_survivor_valid": Out(unsigned(1)),
                "o_slot": Out(unsigned(params.score_slot_width)),
                "o_column": Out(unsigned(params.block_width)),
                "o_row_head": Out(unsigned(HEADS_INSIDE)),
                "o_row_blocks": Out(unsigned(params.n_blocks_width)),
                "o_row_tiles": Out(unsigned(params.n_blocks_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cursor = cursor = HeadCursor(self.params)
        m.submodules.survivors = survivors = SurvivorList(self.params)
        entry = delay(m, cursor.o_entry, 1, "entry")  # one cycle late, which is in time for SurvivorList
        settings, error = entry.settings, (self.i_failed & cursor.o_place).any()
        full = (entry.verdict == Verdict.DENSE) | (entry.verdict == Verdict.FALLBACK)
        pruned = entry.verdict == Verdict.PRUNED
        waiting = cursor.o_waiting & ~survivors.o_busy
        taken = self.o.valid & self.o.ready
        m.d.comb += [
            cursor.i_entries.eq(self.i_entries),
            cursor.i_ready.eq(delay(m, self.i_ready, 1, "ready")),
            cursor.i_leaves.eq(taken & self.o.payload.last),
            cursor.i_retired.eq(self.i_retired),
            survivors.i_mask_valid.eq(self.i_mask.valid),
            survivors.i_mask_head.eq(self.i_mask_head),
            survivors.i_mask_row.eq(self.i_mask.row),
            survivors.i_mask_index.eq(self.i_mask.index),
            survivors.i_mask.eq(self.i_mask.word),
            survivors.i_start.eq(waiting & ~error),
            survivors.i_head.eq(cursor.o_head),
            survivors.i_n_q.eq(settings.n_q),
            survivors.i_n_k.eq(settings.n_k),
            survivors.i_causal.eq(settings.causal),
            survivors.i_all.eq(full),
            survivors.i_none.eq(pruned),
            survivors.i_freed.eq(self.i_freed),
            survivors.o.ready.eq(self.o.ready),
            self.o_survivor_valid.eq(survivors.o_survivor_valid),
            self.o_slot.eq(survivors.o_slot),
            self.o_column.eq(survivors.o_column),
        ]

        row, job = survivors.o.payload, Signal(self.o.payload.shape())
        m.d.comb += [
            job.head.eq(cursor.o_head),
            job.half.eq(entry.half),
            job.empty.eq((row.n_tiles == 0) | error),
            job.full.eq(full),
            job.stand_in.eq(Mux(pruned, settings.mean_output, settings.compensate & ~full)),
            self.o.payload.eq(job),
        ]
        with m.If(waiting & error):
            m.d.comb += [job.error.eq(1), job.last.eq(1), self.o.valid.eq(1)]
        with m.Else():
            m.d.comb += [
                job.row.eq(row.row),
                job.base.eq(row.base),
                job.n_tiles.eq(row.n_tiles),
                job.last.eq(row.last),
                self.o.valid.eq(survivors.o.valid),
            ]
        # The counts are not looked at before the row has left.
        listed = Signal(HEADS_INSIDE)
        m.d.comb += [
            listed.eq(Mux(taken & ~error, cursor.o_place, 0)),
            self.o_row_head.eq(delay(m, listed, 1, "listed")),
            self.o_row_blocks.eq(delay(m, row.n_blocks, 1, "listed_blocks")),
            self.o_row_tiles.eq(delay(m, row.n_tiles, 1, "listed_tiles")),
        ]
        return m
