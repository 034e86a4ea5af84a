"""Which head is predicted, and which of its rows."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.pipeline import delay, unary_counter
from hdp_hw.rtl.core.head_cursor import HeadCursor
from hdp_hw.rtl.core.jobs import head_entry_layout, row_job_layout, verdict_trace_layout
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.timing import PREDICTOR_ROWS


class PredictControl(wiring.Component):
    """Takes heads whose I plane is there through the predictor, one after the other, row by row.

    Heads under the dense rule, or refused, pass without: their verdict is DENSE.

    Parameters
    ----------
    params : HdpParams
    means_latency : int
        Clock cycles from a row's sums until PrunedMeans has its means.

    Ports
    -----
    i_entries : In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE))
        The head table's entries.
    i_loaded : In(unsigned(HEADS_INSIDE))
        The plane store's bits of the entries whose I plane is there.
    i_unpredicted : In(unsigned(HEADS_INSIDE))
        The head table's bits of the heads that need no prediction, set no later than ``i_loaded``.
    i_retired : In(unsigned(HEADS_INSIDE))
        The head table gives back the entry whose bit is set, at most one.
    i_row_done : In(unsigned(1))
        The predictor has read a row for the last time, so that it has room for one more.
    i_done : In(unsigned(1))
        The predictor has decided on the head.
    i_verdict : In(unsigned(3))
        With ``i_done``: the predictor's Verdict.
    i_theta_head : In(unsigned(params.theta_head_width))
        With ``i_done``: the head's importance, from the predictor.
    o : Out(stream.Signature(row_job_layout(params)))
        Rows to predict, for the sequencer: ``head``, ``row``, ``n_tiles`` (1 at least), ``last``; the rest is 0.
    o_at_head : Out(unsigned(2))
        The entry of the head that is predicted, until ``i_done``.
    o_settings : Out(settings_layout(params))
        That head's settings, for the predictor, from one clock cycle after the head's turn has come.
    o_predicted : Out(unsigned(HEADS_INSIDE))
        Bits of the heads that have a verdict and whose means are stored, one clock cycle ahead.
    o_decided : Out(unsigned(HEADS_INSIDE))
        For the head table: the bit of the head whose verdict falls; else 0.
    o_decided_verdict : Out(unsigned(3))
        With ``o_decided``: a Verdict.
    o_decided_theta : Out(unsigned(params.theta_head_width))
        With ``o_decided``: the head's importance, 0 for a head that was not predicted.
    o_verdict : Out(verdict_trace_layout())
        The verdict one clock cycle before ``o_decided``, for the trace.

    Timing
    ------
    A head begins in the clock cycle in which its I plane is there and the head before it has ended; it is offered row
    by row as BlockRows has them, as long as no more than ``PREDICTOR_ROWS`` are in the predictor. A head without
    prediction takes one clock cycle. ``o_decided`` follows ``i_done`` by one clock cycle, ``o_predicted`` by
    ``means_latency``.

    Numerics
    --------
    Golden twin ``golden.cycles.core.attention_core``.
    """

    def __init__(self, params, means_latency):
        self.params, self.means_latency = params, means_latency
        super().__init__(
            {
                "i_entries": In(data.ArrayLayout(head_entry_layout(params), HEADS_INSIDE)),
                "i_loaded": In(unsigned(HEADS_INSIDE)),
                "i_unpredicted": In(unsigned(HEADS_INSIDE)),
                "i_retired": In(unsigned(HEADS_INSIDE)),
                "i_row_done": In(unsigned(1)),
                "i_done": In(unsigned(1)),
                "i_verdict": In(unsigned(3)),
                "i_theta_head": In(unsigned(params.theta_head_width)),
                "o": Out(stream.Signature(row_job_layout(params))),
                "o_at_head": Out(unsigned(2)),
                "o_settings": Out(settings_layout(params)),
                "o_predicted": Out(unsigned(HEADS_INSIDE)),
                "o_decided": Out(unsigned(HEADS_INSIDE)),
                "o_decided_verdict": Out(unsigned(3)),
                "o_decided_theta": Out(unsigned(params.theta_head_width)),
                "o_verdict": Out(verdict_trace_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.cursor = cursor = HeadCursor(self.params)
        m.submodules.rows = rows = BlockRows(self.params)
        busy, starts, skips, ends = Signal(), Signal(), Signal(), Signal()
        waiting = cursor.o_waiting & ~busy
        unpredicted = (self.i_unpredicted & cursor.o_place).any()
        m.d.comb += [
            cursor.i_entries.eq(self.i_entries),
            cursor.i_ready.eq(self.i_loaded),
            cursor.i_leaves.eq(ends),
            cursor.i_retired.eq(self.i_retired),
            skips.eq(waiting & unpredicted),
            starts.eq(waiting & ~unpredicted),
            ends.eq(skips | self.i_done),
        ]
        m.d.sync += busy.eq((busy | starts) & ~self.i_done)

        # One cycle late: the first that looks at the settings is the second cycle of BlockRows.
        settings = delay(m, cursor.o_entry.settings, 1, "settings")
        m.d.comb += [
            rows.i_start.eq(starts),
            rows.i_n_q.eq(settings.n_q),
            rows.i_n_k.eq(settings.n_k),
            rows.i_causal.eq(settings.causal),
            self.o_settings.eq(settings),
            self.o_at_head.eq(cursor.o_head),
        ]
        # Rows as long as the predictor has room for them.
        row, job = rows.o.payload, self.o.payload
        in_flight = unary_counter(m, PREDICTOR_ROWS, rows.o.valid & rows.o.ready, self.i_row_done, name="in_flight")
        room = ~in_flight[-1]
        m.d.comb += [
            self.o.valid.eq(rows.o.valid & room),
            rows.o.ready.eq(self.o.ready & room),
            job.head.eq(cursor.o_head),
            job.row.eq(row.row),
            job.n_tiles.eq(Mux(row.n_blocks == 0, 1, row.n_blocks)),
            job.last.eq(row.last),
        ]

        # A verdict counts when the last row's means are stored; a dense head's at once, though the table has it one
        # cycle later, before a row can ask for it.
        verdict, predicted = Signal(Verdict), Signal(HEADS_INSIDE)
        stored = delay(m, Mux(self.i_done, cursor.o_leaves, 0), self.means_latency, "stored")
        m.d.sync += predicted.eq(self.o_predicted)
        m.d.comb += [
            self.o_predicted.eq((predicted | stored | Mux(skips, cursor.o_leaves, 0)) & ~self.i_retired),
            verdict.eq(Mux(self.i_done, self.i_verdict, Verdict.DENSE)),
            self.o_verdict.valid.eq(ends),
            self.o_verdict.verdict.eq(verdict),
            self.o_decided.eq(delay(m, cursor.o_leaves, 1, "decided")),
            self.o_decided_verdict.eq(delay(m, verdict, 1, "decided_verdict")),
            self.o_decided_theta.eq(delay(m, Mux(self.i_done, self.i_theta_head, 0), 1, "decided_theta")),
        ]
        return m
