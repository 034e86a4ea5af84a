"""The core: heads of attention in, their pruned outputs out."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.tile_array import TileArray
from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.core.activity_counters import ActivityCounters
from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.execute_control import ExecuteControl
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.rtl.core.jobs import mask_trace_layout, segment_layout, verdict_trace_layout
from hdp_hw.rtl.core.linear_drain import LinearDrain
from hdp_hw.rtl.core.operand_fetch import OperandFetch
from hdp_hw.rtl.core.plane_store import PlaneStore
from hdp_hw.rtl.core.predict_control import PredictControl
from hdp_hw.rtl.core.pruned_means import PrunedMeans
from hdp_hw.rtl.core.result_router import ResultRouter
from hdp_hw.rtl.core.row_pipeline import RowPipeline
from hdp_hw.rtl.core.sequencer import Sequencer
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.rtl.pruning.predictor import Predictor
from hdp_hw.spec.timing import core_latencies


class AttentionCore(wiring.Component):
    """Attention with hybrid dynamic pruning, a head at a time, three heads overlapped.

    ``O = softmax(Q.K^T) V`` of digits and weights as docs/numerics.md defines them. While one head executes, the
    next is predicted and the one after is loaded. Rows travel ExecuteControl -> score -> softmax -> context -> drain
    through the queues of RowPipeline; the sequencer gives the array to whichever row can use it.

    Parameters
    ----------
    params : HdpParams
    checked : bool
        As HeadTable has it.

    Ports
    -----
    i_settings : In(stream.Signature(settings_layout(params)))
        The host's settings of each head, in the order of the planes; taken while one of three entries is free.
    i_integer : In(stream.Signature(self.planes.loaders["integer"].beat_layout))
        The host's I planes of Q, then K, of each head; taken while their buffer is free.
    i_fraction : In(stream.Signature(self.planes.loaders["fraction"].beat_layout))
        The host's F planes of Q, then K, likewise.
    i_value : In(stream.Signature(self.planes.loaders["value"].beat_layout))
        The host's V, likewise.
    i_segment : In(segment_layout())
        With ``encoder``: the host's table of an activation, a line at a time, while no head is inside that uses it.
    o : Out(stream.Signature(self.drain.beat_layout))
        Output of each head, row by row, in the order of the heads; a refused head has none.
    o_status : Out(stream.Signature(self.table.status_layout))
        Verdict, error and counts of each head, after its last beat of ``o``; stays until the host takes it.
    o_busy : Out(unsigned(1))
        Marks the clock cycles in which the array is given work.
    o_mode : Out(unsigned(2))
        With ``o_busy``: ArrayMode of that work.
    o_mask : Out(mask_trace_layout(params))
        Traces the masks as the predictor decides them, in the order of the heads, without back-pressure.
    o_verdict : Out(verdict_trace_layout())
        Traces each head's verdict, behind its mask; a dense head has a verdict only.
    o_counters : Out(self.counters.counter_layout)
        Counts clock cycles with a head inside and those that the array spent in each mode, since reset.

    Timing
    ------
    Predicted exactly by golden.cycles.core.attention_core where no stream stalls. A head's planes may come in any
    interleaving; each stream is ready as soon as its buffer is free.

    Numerics
    --------
    Golden twin ``golden.bits.core.attention_core``.
    """

    def __init__(self, params, checked=False):
        self.params = params
        self.planes = PlaneStore(params)
        self.table = HeadTable(params, checked)
        self.array = TileArray(params)
        if params.pruning:
            self.predictor, self.means = Predictor(params), PrunedMeans(params)
        self.softmax = SoftmaxUnit(params)
        self.drain = Drain(params, self.softmax.sums_layout)
        self.counters = ActivityCounters(params)
        if params.encoder:
            self.linear = LinearDrain(params, self.drain.leaving_layout)
        super().__init__(
            {
                "i_settings": In(stream.Signature(settings_layout(params))),
                **{f"i_{name}": In(stream.Signature(x.beat_layout)) for name, x in self.planes.loaders.items()},
                **({"i_segment": In(segment_layout())} if params.encoder else {}),
                "o": Out(stream.Signature(self.drain.beat_layout)),
                "o_status": Out(stream.Signature(self.table.status_layout)),
                "o_busy": Out(unsigned(1)),
                "o_mode": Out(unsigned(2)),
                "o_mask": Out(mask_trace_layout(params)),
                "o_verdict": Out(verdict_trace_layout()),
                "o_counters": Out(self.counters.counter_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params = self.params
        m.submodules.planes, m.submodules.table = planes, table = self.planes, self.table
        if params.pruning:
            m.submodules.predictor, m.submodules.means = self.predictor, self.means
        m.submodules.softmax, m.submodules.drain = softmax, drain = self.softmax, self.drain
        m.submodules.array, m.submodules.counters = array, counters = self.array, self.counters
        m.submodules.predict = predict = PredictControl(params, core_latencies(params).means)
        m.submodules.execute = execute = ExecuteControl(params)
        m.submodules.rows = rows = RowPipeline(params, softmax.sums_layout)
        m.submodules.sequencer = sequencer = Sequencer(params)
        m.submodules.fetch = fetch = OperandFetch(params)
        m.submodules.router = router = ResultRouter(params, array.score_latency, array.context_latency)

        # Streams: of the core, and of the rows from stage to stage.
        wiring.connect(m, wiring.flipped(self.i_settings), table.i_settings)
        for name in planes.loaders:
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{name}")), getattr(planes, f"i_{name}"))
        wiring.connect(m, predict.o, sequencer.i_predict)
        wiring.connect(m, execute.o, rows.i)
        wiring.connect(m, rows.o_score, sequencer.i_score)
        wiring.connect(m, sequencer.o_score, rows.i_score)
        wiring.connect(m, rows.o_softmax, softmax.i)
        wiring.connect(m, rows.o_context, sequencer.i_context)
        wiring.connect(m, sequencer.o_context, rows.i_context)
        wiring.connect(m, rows.o_drain, drain.i)
        wiring.connect(m, rows.o_sums, drain.i_sums)
        wiring.connect(m, drain.o, wiring.flipped(self.o))
        wiring.connect(m, table.o_status, wiring.flipped(self.o_status))

        # Head table.
        m.d.comb += [
            *(block.i_entries.eq(table.o_entries) for block in (planes, predict, execute, fetch, router)),
            *(block.i_retired.eq(table.o_retired) for block in (planes, predict, execute)),
            planes.i_vacated.eq(table.o_vacated),
            planes.i_used.eq(table.o_used),
            predict.i_unpredicted.eq(table.o_unpredicted),
            execute.i_failed.eq(table.o_failed),
            table.i_loaded.eq(planes.o_ended),
            table.i_errors.eq(planes.o_errors),
            table.i_predicted.eq(predict.o_decided),
            table.i_verdict.eq(predict.o_decided_verdict),
            table.i_theta_head.eq(predict.o_decided_theta),
            *(getattr(table, f"i_row_{x}").eq(getattr(execute, f"o_row_{x}")) for x in ("head", "blocks", "tiles")),
            table.i_report.eq(drain.o_report),
            drain.i_report_free.eq(table.o_report_free),
        ]
        for head, entry in enumerate(table.o_entries):
            m.d.comb += [
                sequencer.i_shapes[head].eq(entry.cycles),
                *(softmax.i_scales[head][name].eq(entry.settings[name]) for name in ("mult", "shift", "n_k")),
                drain.i_shapes[head].slices.eq(entry.cycles.slices),
                drain.i_shapes[head].n_q.eq(entry.settings.n_q),
            ]

        if params.pruning:
            self._predict(m, predict, router, softmax)
        if params.encoder:
            self.linear.wire(m, self, rows, router)
        m.d.comb += [predict.i_loaded.eq(planes.o_loaded[0]), self.o_verdict.eq(predict.o_verdict)]

        # Execution: a micro-operation's operands, and the array's results.
        m.d.comb += [
            execute.i_ready.eq(predict.o_predicted & planes.o_complete),
            execute.i_mask.eq(self.o_mask),
            execute.i_mask_head.eq(predict.o_at_head),
            execute.i_freed.eq(sequencer.o_freed | self.linear.o_freed if params.encoder else sequencer.o_freed),
            fetch.i_valid.eq(sequencer.o_valid),
            fetch.i_op.eq(sequencer.o_op),
            fetch.i_survivor_valid.eq(execute.o_survivor_valid),
            fetch.i_slot.eq(execute.o_slot),
            fetch.i_column.eq(execute.o_column),
            planes.i_read.eq(fetch.o_read),
            fetch.i_words.eq(planes.o_words),
            softmax.i_weight_slot.eq(fetch.o_weight_slot),
            fetch.i_weights.eq(softmax.o_weights),
            *(
                getattr(array, f"i_{name}").eq(getattr(fetch, f"o_{name}"))
                for name in ("valid", "mode", "phase", "first", "last", "columns", "weight")
            ),
            *(getattr(array, f"i_{name}").eq(fetch.o_words[name]) for name, _ in fetch.o_words.shape()),
            *(getattr(router, f"i_{x}").eq(getattr(fetch, f"o_{x}")) for x in ("op", "column", "slice", "last_slice")),
            *(getattr(router, f"i_{x}").eq(getattr(array, f"o_{x}")) for x in ("scores_valid", "scores")),
            softmax.i_tile_valid.eq(router.o_softmax_valid),
            softmax.i_slot.eq(router.o_slot),
            softmax.i_scores.eq(array.o_scores),
            softmax.i_elements.eq(router.o_elements),
            softmax.i_first_tile.eq(router.o_first_tile),
            softmax.i_last_tile.eq(router.o_last_tile),
            rows.i_finished.eq(softmax.o_finished),
            rows.i_sums.eq(softmax.o_sums),
            rows.i_free.eq(drain.o_free),
            drain.i_slice_valid.eq(array.o_context_valid),
            drain.i_slice.eq(router.o_slice),
            drain.i_last_slice.eq(router.o_last_slice),
            drain.i_context.eq(array.o_context),
            drain.i_value_sum.eq(array.o_value_sum),
            planes.i_total_half.eq(drain.o_total_half),
            planes.i_total_word.eq(drain.o_total_word),
            drain.i_total.eq(planes.o_total),
        ]
        m.d.comb += sequencer.i_context_free.eq(rows.o_context_free)

        # What the array does.
        m.d.comb += [
            self.o_busy.eq(sequencer.o_valid),
            self.o_mode.eq(sequencer.o_op.mode),
            counters.i_inside.eq(table.o_used.any()),
            counters.i_valid.eq(sequencer.o_valid),
            counters.i_mode.eq(sequencer.o_op.mode),
            self.o_counters.eq(counters.o_counters),
        ]
        return m

    def _predict(self, m, predict, router, softmax):
        """Scores of integer digits to a mask, a verdict and means."""
        predictor, means = self.predictor, self.means
        m.d.comb += [
            predict.i_row_done.eq(predictor.o_row_done),
            predict.i_done.eq(predictor.o_done),
            predict.i_verdict.eq(predictor.o_verdict),
            predict.i_theta_head.eq(predictor.o_theta_head),
            predictor.i_settings.eq(predict.o_settings),
            predictor.i_valid.eq(router.o_predict_valid),
            predictor.i_a.eq(router.o_a),
            predictor.i_valid_elements.eq(router.o_elements),
            predictor.i_first.eq(router.o_first_tile),
            predictor.i_last.eq(router.o_last_tile),
            predictor.i_last_row.eq(router.o_last_row),
            predictor.i_row.eq(router.o_row),
            predictor.i_column.eq(router.o_column),
            means.i_valid.eq(predictor.o_row_valid),
            means.i_head.eq(predict.o_at_head),
            means.i_row.eq(predictor.o_row),
            means.i_pruned_sum.eq(predictor.o_pruned_sum),
            means.i_n_kept_tiles.eq(predictor.o_n_kept_tiles),
            means.i_last_kept.eq(predictor.o_last_kept),
            means.i_n_k.eq(predict.o_settings.n_k),
            means.i_read_head.eq(softmax.o_mean_head),
            means.i_read_row.eq(softmax.o_mean_row),
            softmax.i_mean.eq(means.o_mean),
            self.o_mask.valid.eq(predictor.o_mask_valid),
            self.o_mask.row.eq(predictor.o_mask_row),
            self.o_mask.index.eq(predictor.o_mask_index),
            self.o_mask.word.eq(predictor.o_mask),
            self.o_mask.last.eq(predictor.o_mask_last),
        ]
