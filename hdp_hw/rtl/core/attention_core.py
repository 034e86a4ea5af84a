"""The core: heads of attention in, their pruned outputs out."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.array.digit_splitter import DigitSplitter
from hdp_hw.rtl.array.operand_buffer import OperandBuffer
from hdp_hw.rtl.array.tile_array import TileArray
from hdp_hw.rtl.common.layouts import settings_layout
from hdp_hw.rtl.common.pipeline import delay, unary_counter
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.drain import Drain
from hdp_hw.rtl.core.head_table import HeadTable
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.plane_loader import PlaneLoader
from hdp_hw.rtl.core.pruned_means import PrunedMeans
from hdp_hw.rtl.core.row_queue import RowQueue
from hdp_hw.rtl.core.sequencer import Sequencer
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.rtl.core.value_totals import ValueTotals
from hdp_hw.rtl.pruning.block_rows import BlockRows
from hdp_hw.rtl.pruning.geometry import Geometry
from hdp_hw.rtl.pruning.predictor import Predictor
from hdp_hw.rtl.pruning.survivor_list import SurvivorList
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ArrayMode, bits_for
from hdp_hw.spec.settings import Verdict
from hdp_hw.spec.timing import OPERAND_LATENCY, PREDICTOR_ROWS, QUEUE_DEPTH


class AttentionCore(wiring.Component):
    """Attention with hybrid dynamic pruning, a head at a time, three heads overlapped.

    ``O = softmax(Q.K^T) V`` of digits and weights as docs/numerics.md defines them. While one head executes, the
    next is predicted and the one after is loaded. Rows travel survivor list -> score -> softmax -> context -> drain
    through queues; the sequencer gives the array to whichever row can use it.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_settings : In(stream.Signature(settings_layout(params)))
    i_integer : In(stream.Signature(self.loaders["integer"].beat_layout))
    i_fraction : In(stream.Signature(self.loaders["fraction"].beat_layout))
    i_value : In(stream.Signature(self.loaders["value"].beat_layout))
    o : Out(stream.Signature(self.drain.beat_layout))
    o_status : Out(stream.Signature(self.table.status_layout))
    o_busy : Out(unsigned(1))
    o_mode : Out(unsigned(2))
    o_mask : Out(self.mask_layout)
    o_verdict : Out(self.verdict_layout)
    o_counters : Out(self.counter_layout)

    ``o_busy`` marks the clock cycles in which the array is given work, in ``o_mode`` (ArrayMode); ``o_mask`` traces the
    masks as the predictor decides them (a word of one row's blocks, no back-pressure) and ``o_verdict`` each head's
    verdict, behind its mask; both are in the order of the heads, and a dense head has a verdict only. ``o_counters``
    counts clock cycles in which a head was inside and those that the array spent in each mode, since reset.

    Timing
    ------
    Predicted exactly by golden.cycles.core.attention_core where no stream stalls. A head's planes may come in any
    interleaving; each stream is ready as soon as its buffer is free.

    Numerics
    --------
    Golden twin: golden.bits.core.attention_core.
    """

    def __init__(self, params):
        self.params = params
        word = params.lanes * params.digit_width
        self.loaders = {
            "integer": PlaneLoader(params, params.max_words, word, keyed=True),
            "fraction": PlaneLoader(params, params.max_words, word, keyed=True),
            "value": PlaneLoader(params, params.max_value_words, word, keyed=False),
        }
        self.table = HeadTable(params)
        self.array = TileArray(params)
        self.predictor = Predictor(params)
        self.means = PrunedMeans(params)
        self.softmax = SoftmaxUnit(params)
        self.drain = Drain(params, self.softmax.sums_layout)
        self.mask_layout = data.StructLayout(
            {
                "valid": unsigned(1),
                "row": unsigned(params.block_width),
                "index": unsigned(bits_for(params.mask_words - 1)),
                "word": unsigned(params.mask_word),
                "last": unsigned(1),
            }
        )
        self.verdict_layout = data.StructLayout({"valid": unsigned(1), "verdict": unsigned(3)})
        self.counter_layout = data.StructLayout(
            {name: unsigned(64) for name in ("cycles", "integer", "cross", "full", "context")}
        )
        super().__init__(
            {
                "i_settings": In(stream.Signature(settings_layout(params))),
                **{f"i_{name}": In(stream.Signature(x.beat_layout)) for name, x in self.loaders.items()},
                "o": Out(stream.Signature(self.drain.beat_layout)),
                "o_status": Out(stream.Signature(self.table.status_layout)),
                "o_busy": Out(unsigned(1)),
                "o_mode": Out(unsigned(2)),
                "o_mask": Out(self.mask_layout),
                "o_verdict": Out(self.verdict_layout),
                "o_counters": Out(self.counter_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = self.table
        m.submodules.sequencer = sequencer = Sequencer(self.params)
        m.submodules.survivors = survivors = SurvivorList(self.params)
        m.submodules.predictor, m.submodules.means = self.predictor, self.means
        m.submodules.softmax, m.submodules.drain = self.softmax, self.drain
        m.submodules.array = self.array
        wiring.connect(m, wiring.flipped(self.i_settings), table.i_settings)
        wiring.connect(m, table.o_status, wiring.flipped(self.o_status))
        for head in range(HEADS_INSIDE):
            entry = table.o_entries[head]
            m.d.comb += [
                sequencer.i_shapes[head].eq(entry.cycles),
                self.softmax.i_scales[head].mult.eq(entry.settings.mult),
                self.softmax.i_scales[head].shift.eq(entry.settings.shift),
                self.softmax.i_scales[head].n_k.eq(entry.settings.n_k),
                self.drain.i_shapes[head].slices.eq(entry.cycles.slices),
                self.drain.i_shapes[head].n_q.eq(entry.settings.n_q),
            ]

        buffers = self._load(m)
        rows = self._predict(m)
        self._survivors(m, survivors, rows)
        self._queues(m, sequencer)
        self._operands(m, sequencer, survivors, buffers)
        self._scores(m, sequencer)
        self._count(m, sequencer)
        return m

    def _entry(self, m, head, name):
        """The head table's entry number ``head``."""
        entry = Signal(self.table.entry_layout, name=f"{name}_entry")
        with m.Switch(head):
            for index in range(HEADS_INSIDE):
                with m.Case(index):
                    m.d.comb += entry.eq(self.table.o_entries[index])
        return entry

    def _load(self, m):
        """Loaders and operand buffers; sets ``self.loaded``, one bit a head and plane."""
        params, table = self.params, self.table
        word = params.lanes * params.digit_width
        loaded, self.loaded, self.errors = {}, {}, {}
        for index, (name, loader) in enumerate(self.loaders.items()):
            m.submodules[f"load_{name}"] = loader
            wiring.connect(m, wiring.flipped(getattr(self, f"i_{name}")), loader.i)
            head, done = Signal(2, name=f"{name}_head"), Signal(HEADS_INSIDE, name=f"{name}_loaded")
            entry = self._entry(m, head, name)
            room = 1
            if name != "integer":  # the I planes have a place for each head, the others two halves
                halves = Signal(2, name=f"{name}_halves")
                places = [(half, k) for half in range(2) for k in range(HEADS_INSIDE)]
                freed = [table.o_retired[k] & (table.o_entries[k].half == half) for half, k in places]
                freed = Cat(Cat(freed[h * HEADS_INSIDE : (h + 1) * HEADS_INSIDE]).any() for h in range(2))
                m.d.sync += halves.eq(halves & ~freed | Mux(loader.i_start, 1 << entry.half, 0))
                room = ~halves.bit_select(entry.half, 1)
            waiting = (table.o_used & ~done).bit_select(head, 1)
            m.d.comb += [
                loader.i_start.eq(waiting & room & ~loader.o_busy & ~loader.o_done),
                loader.i_discard.eq(entry.settings_error),
                loader.i_n_q.eq(entry.settings.n_q),
                loader.i_n_k.eq(entry.settings.n_k),
                loader.i_words.eq(entry.value_words if name == "value" else entry.words),
                table.i_errors[index].eq(loader.o_error),
                table.i_loaded[index].eq(Mux(loader.o_done, 1 << head, 0)),
            ]
            m.d.sync += done.eq((done | table.i_loaded[index]) & ~table.o_retired)
            with m.If(loader.o_done):
                m.d.sync += head.eq(_next_head(head))
            loaded[name], self.loaded[name] = (head, entry), done

        buffers = {}
        for plane, n_heads in (("integer", HEADS_INSIDE), ("fraction", 2)):
            loader, (head, entry) = self.loaders[plane], loaded[plane]
            for key, operand in enumerate("qk"):
                buffer = OperandBuffer(params, n_heads, params.max_words, word)
                m.submodules[f"{operand}_{plane}"] = buffers[f"{operand}_{plane}"] = buffer
                m.d.comb += [
                    buffer.i_write.eq(Mux(loader.o_key == key, loader.o_write, 0)),
                    buffer.i_write_head.eq(head if plane == "integer" else entry.half),
                    buffer.i_write_block.eq(loader.o_block),
                    buffer.i_write_word.eq(loader.o_word),
                    buffer.i_write_data.eq(loader.o_data),
                ]
        m.submodules.split = split = DigitSplitter(params)
        m.submodules.value = buffers["value"] = buffer = OperandBuffer(params, 2, params.max_value_words, word)
        m.submodules.totals = totals = ValueTotals(params)
        loader, (_, entry) = self.loaders["value"], loaded["value"]
        first_row = (loader.o_block == 0) & loader.o_write[0]
        m.d.comb += [
            split.i_valid.eq(loader.o_write.any()),
            split.i_x.eq(loader.o_data),
            buffer.i_write.eq(delay(m, loader.o_write, split.latency, "write")),
            buffer.i_write_head.eq(delay(m, entry.half, split.latency, "write_half")),
            buffer.i_write_block.eq(delay(m, loader.o_block, split.latency, "write_block")),
            buffer.i_write_word.eq(delay(m, loader.o_word, split.latency, "write_word")),
            buffer.i_write_data.eq(split.o_digits),
            totals.i_valid.eq(split.o_valid),
            totals.i_first.eq(delay(m, first_row, split.latency, "first_row")),
            totals.i_half.eq(buffer.i_write_head),
            totals.i_word.eq(buffer.i_write_word),
            totals.i_digits.eq(split.o_digits),
            totals.i_read.eq(self.drain.o_total_read),
            totals.i_read_half.eq(self.drain.o_total_half),
            totals.i_read_word.eq(self.drain.o_total_word),
            self.drain.i_total.eq(totals.o_total),
        ]
        return buffers

    def _predict(self, m):
        """Heads to the predictor, one after the other; returns the rows to predict.

        Heads under the dense rule, or refused, pass without.
        """
        params, table, predictor, means = self.params, self.table, self.predictor, self.means
        m.submodules.predicted_rows = rows = BlockRows(params)
        head, taken, busy = Signal(2), Signal(HEADS_INSIDE), Signal()
        # One cycle late: the first that looks at the settings is the second cycle of BlockRows.
        settings = delay(m, self._entry(m, head, "predicted").settings, 1, "predicted_settings")
        starts, skips = Signal(), Signal()
        waiting = (self.loaded["integer"] & ~taken).bit_select(head, 1) & ~busy
        m.d.comb += [
            skips.eq(waiting & table.o_unpredicted.bit_select(head, 1)),
            starts.eq(waiting & ~table.o_unpredicted.bit_select(head, 1)),
            rows.i_start.eq(starts),
            rows.i_n_q.eq(settings.n_q),
            rows.i_n_k.eq(settings.n_k),
            rows.i_causal.eq(settings.causal),
            predictor.settings.eq(settings),
        ]
        ends = skips | predictor.o_done
        m.d.sync += [
            busy.eq((busy | starts) & ~predictor.o_done),
            taken.eq((taken | Mux(ends, 1 << head, 0)) & ~table.o_retired),
        ]
        with m.If(ends):
            m.d.sync += head.eq(_next_head(head))

        # A verdict counts when the last row's means are stored; a dense head's at once, though the table has it one
        # cycle later, before a row can ask for it.
        self.predicted = predicted = Signal(HEADS_INSIDE)
        verdict = Signal(Verdict)
        stored = delay(m, Mux(predictor.o_done, 1 << head, 0)[:HEADS_INSIDE], means.latency, "stored")
        m.d.sync += predicted.eq((predicted | stored | Mux(skips, 1 << head, 0)) & ~table.o_retired)
        m.d.comb += [
            verdict.eq(Mux(predictor.o_done, predictor.o_verdict, Verdict.DENSE)),
            table.i_predicted.eq(delay(m, Mux(ends, 1 << head, 0)[:HEADS_INSIDE], 1, "decided")),
            table.i_verdict.eq(delay(m, verdict, 1, "decided_verdict")),
            table.i_theta_head.eq(delay(m, Mux(predictor.o_done, predictor.o_theta_head, 0), 1, "decided_theta")),
            means.i_valid.eq(predictor.o_row_valid),
            means.i_head.eq(head),
            means.i_row.eq(predictor.o_row),
            means.i_pruned_sum.eq(predictor.o_pruned_sum),
            means.i_n_kept_tiles.eq(predictor.o_n_kept_tiles),
            means.i_last_kept.eq(predictor.o_last_kept),
            means.i_n_k.eq(settings.n_k),
            means.i_read_head.eq(self.softmax.o_mean_head),
            means.i_read_row.eq(self.softmax.o_mean_row),
            self.softmax.i_mean.eq(means.o_mean),
            self.o_verdict.valid.eq(ends),
            self.o_verdict.verdict.eq(verdict),
            self.o_mask.valid.eq(predictor.o_mask_valid),
            self.o_mask.row.eq(predictor.o_mask_row),
            self.o_mask.index.eq(predictor.o_mask_index),
            self.o_mask.word.eq(predictor.o_mask),
            self.o_mask.last.eq(predictor.o_mask_last),
        ]
        self.predicted_head = head
        return rows

    def _survivors(self, m, survivors, rows):
        """Predicted heads whose planes are there, in turn, to rows of survivors in the score queue."""
        table, sequencer, predictor = self.table, m.submodules.sequencer, self.predictor
        layout = row_job_layout(self.params)

        # Rows to predict, as long as the predictor has room for them.
        in_flight = unary_counter(
            m, PREDICTOR_ROWS, rows.o.valid & rows.o.ready, predictor.o_row_done, name="in_flight"
        )
        room = ~in_flight[-1]
        job = sequencer.i_predict.payload
        m.d.comb += [
            sequencer.i_predict.valid.eq(rows.o.valid & room),
            rows.o.ready.eq(sequencer.i_predict.ready & room),
            job.head.eq(self.predicted_head),
            job.row.eq(rows.o.payload.row),
            job.n_tiles.eq(Mux(rows.o.payload.n_blocks == 0, 1, rows.o.payload.n_blocks)),
            job.last.eq(rows.o.payload.last),
        ]

        # Rows to execute. A refused head is a single row without tiles.
        head, taken = Signal(2), Signal(HEADS_INSIDE)
        entry = delay(m, self._entry(m, head, "executed"), 1, "executed")  # one cycle late, like the predicted one
        settings = entry.settings
        error = table.o_failed.bit_select(head, 1)
        ready = self.predicted & self.loaded["fraction"] & self.loaded["value"] & self.loaded["integer"] & ~taken
        waiting = ready.bit_select(head, 1) & ~survivors.o_busy
        full = (entry.verdict == Verdict.DENSE) | (entry.verdict == Verdict.FALLBACK)
        pruned = entry.verdict == Verdict.PRUNED
        queue = Signal(layout)  # towards the score queue
        write, ends = Signal(), Signal()
        m.submodules.score_queue = score_queue = RowQueue(self.params)
        row = survivors.o.payload
        m.d.comb += [
            survivors.i_mask_valid.eq(predictor.o_mask_valid),
            survivors.i_mask_head.eq(self.predicted_head),
            survivors.i_mask_row.eq(predictor.o_mask_row),
            survivors.i_mask_index.eq(predictor.o_mask_index),
            survivors.i_mask.eq(predictor.o_mask),
            survivors.i_start.eq(waiting & ~error),
            survivors.i_head.eq(head),
            survivors.i_n_q.eq(settings.n_q),
            survivors.i_n_k.eq(settings.n_k),
            survivors.i_causal.eq(settings.causal),
            survivors.i_all.eq(full),
            survivors.i_none.eq(pruned),
            survivors.i_freed.eq(sequencer.o_freed),
            survivors.o.ready.eq(score_queue.i.ready),
            queue.head.eq(head),
            queue.half.eq(entry.half),
            queue.empty.eq((row.n_tiles == 0) | error),
            queue.full.eq(full),
            queue.stand_in.eq(Mux(pruned, settings.mean_output, settings.compensate & ~full)),
            score_queue.i.payload.eq(queue),
        ]
        with m.If(waiting & error):
            m.d.comb += [queue.error.eq(1), queue.last.eq(1), write.eq(1)]
        with m.Else():
            m.d.comb += [
                queue.row.eq(row.row),
                queue.base.eq(row.base),
                queue.n_tiles.eq(row.n_tiles),
                queue.last.eq(row.last),
                write.eq(survivors.o.valid),
            ]
        written = write & score_queue.i.ready
        m.d.comb += [
            score_queue.i.valid.eq(write),
            ends.eq(written & queue.last),
        ]
        # The counts are not looked at before the row has left.
        listed = Signal(HEADS_INSIDE)
        m.d.comb += listed.eq(Mux(written & ~queue.error, 1 << head, 0))
        m.d.comb += [
            table.i_row_head.eq(delay(m, listed, 1, "listed")),
            table.i_row_blocks.eq(delay(m, row.n_blocks, 1, "listed_blocks")),
            table.i_row_tiles.eq(delay(m, row.n_tiles, 1, "listed_tiles")),
        ]
        m.d.sync += taken.eq((taken | Mux(ends, 1 << head, 0)) & ~table.o_retired)
        with m.If(ends):
            m.d.sync += head.eq(_next_head(head))
        self.score_queue = score_queue

    def _queues(self, m, sequencer):
        """Score -> softmax -> context -> drain; a row waits in its queue until what it needs is complete."""
        softmax, drain = self.softmax, self.drain
        m.submodules.softmax_queue = softmax_queue = RowQueue(self.params)
        m.submodules.context_queue = context_queue = RowQueue(self.params)
        m.submodules.drain_queue = drain_queue = RowQueue(self.params)
        m.submodules.sums_queue = sums = Queue(softmax.sums_layout, depth=2 * QUEUE_DEPTH)

        wiring.connect(m, self.score_queue.o, sequencer.i_score)
        wiring.connect(m, sequencer.o_score, softmax_queue.i)
        # Softmax takes a row only when it can hand it on.
        _connect_while(m, context_queue.i.ready, softmax_queue.o, softmax.i)
        m.d.comb += [
            context_queue.i.payload.eq(softmax.i.payload),
            context_queue.i.valid.eq(softmax.i.valid & softmax.i.ready),
        ]
        context = sequencer.i_context
        # Rows of the context queue whose weights are complete.
        finished = unary_counter(m, QUEUE_DEPTH, softmax.o_finished, context.valid & context.ready, name="finished")
        _connect_while(m, finished[0], context_queue.o, context)
        wiring.connect(m, sequencer.o_context, drain_queue.i)
        wiring.connect(m, drain_queue.o, drain.i)
        m.d.comb += [
            sums.i.payload.eq(softmax.o_sums),
            sums.i.valid.eq(softmax.o_finished),
        ]
        wiring.connect(m, sums.o, drain.i_sums)

        begins = sequencer.o_context.valid & sequencer.o_context.ready & ~sequencer.o_context.payload.empty
        stores = unary_counter(m, 2, drain.o_free, begins, init=2, name="stores")  # of the drain that are free
        m.d.comb += sequencer.i_context_free.eq(stores[0])
        wiring.connect(m, drain.o, wiring.flipped(self.o))
        m.d.comb += [drain.i_report_free.eq(self.table.o_report_free), self.table.i_report.eq(drain.o_report)]

    def _operands(self, m, sequencer, survivors, buffers):
        """A micro-operation looks up its column, then its words, then enters the array."""
        params, array = self.params, self.array
        op, valid = sequencer.o_op, sequencer.o_valid
        m.submodules.columns = columns = separate_memory(unsigned(params.block_width), params.score_slots)
        write, read = columns.write_port(), columns.read_port()
        column = Signal(params.block_width)
        lookup, self.op_with_column = delay(m, op, 1, "op_a"), delay(m, op, 2, "op_b")
        m.d.comb += [
            write.addr.eq(survivors.o_slot),
            write.data.eq(survivors.o_column),
            write.en.eq(survivors.o_survivor_valid),
            read.addr.eq(op.slot),
            read.en.eq(1),
        ]
        looked_up = Mux(lookup.predict, lookup.column, read.data)
        m.d.sync += column.eq(looked_up)
        entry = self._entry(m, lookup.head, "operands")
        n_k = delay(m, entry.settings.n_k, 1, "n_k")
        at_words = self.op_with_column
        self.column, self.valid_with_column = column, delay(m, valid, 2, "valid_b")

        word = Signal(range(max(params.max_words, 2)))
        with m.Switch(lookup.mode):
            with m.Case(ArrayMode.INTEGER):
                m.d.comb += word.eq(lookup.cycle)
            with m.Case(ArrayMode.CROSS):
                m.d.comb += word.eq(lookup.cycle >> 1)
            with m.Case(ArrayMode.FULL):
                m.d.comb += word.eq(lookup.cycle >> 2)
        context = lookup.mode == ArrayMode.CONTEXT
        needed = {"integer": ~context, "fraction": ~context & (lookup.mode != ArrayMode.INTEGER), "value": context}
        for name, buffer in buffers.items():
            plane = name.split("_")[-1]
            m.d.comb += [
                buffer.i_read.eq(needed[plane]),
                buffer.i_head.eq(lookup.head if plane == "integer" else lookup.half),
                buffer.i_block.eq(lookup.row if name.startswith("q") else looked_up),
                buffer.i_word.eq(lookup.cycle >> 1 if plane == "value" else word),
            ]
            words = delay(m, buffer.o_words, OPERAND_LATENCY - 1 - buffer.latency, name, reset_less=True)
            m.d.comb += getattr(array, f"i_{name}").eq(words)
        m.d.comb += self.softmax.i_weight_slot.eq(at_words.slot)
        weights = delay(m, self.softmax.o_weights, OPERAND_LATENCY - 3, "weights", reset_less=True)
        m.d.comb += array.i_weight.eq(weights)

        # Keys of the tile that exist: a partial tile can only be the last one.
        tile_bits = (params.tile - 1).bit_length()
        partial, remainder = Signal(), Signal(tile_bits)
        m.d.sync += [partial.eq(column == n_k >> tile_bits), remainder.eq(n_k[:tile_bits])]
        for c in range(params.tile):
            exists = remainder > c if c < params.tile - 1 else 0
            m.d.sync += array.i_columns[c].eq(~partial | exists)
        before_array = delay(m, at_words, OPERAND_LATENCY - 3, "op_c")
        at_array = delay(m, before_array, 1, "op_d")
        m.d.comb += [
            array.i_valid.eq(delay(m, self.valid_with_column, OPERAND_LATENCY - 2, "valid_d")),
            array.i_mode.eq(before_array.mode),
            array.i_phase.eq(before_array.cycle),
            array.i_first.eq(at_array.first),
            array.i_last.eq(at_array.last),
            self.drain.i_slice_valid.eq(array.o_context_valid),
            self.drain.i_slice.eq(delay(m, at_array.cycle, array.context_latency, "slice")),
            self.drain.i_last_slice.eq(delay(m, at_array.last_tile, array.context_latency, "last_slice")),
            self.drain.i_context.eq(array.o_context),
            self.drain.i_value_sum.eq(array.o_value_sum),
        ]

    def _scores(self, m, sequencer):
        """Finished tiles of scores, with their valid elements, to the predictor or to softmax."""
        params, array, predictor, softmax = self.params, self.array, self.predictor, self.softmax
        m.submodules.geometry = geometry = Geometry(params)
        before_geometry = OPERAND_LATENCY - 2 + array.score_latency - geometry.latency
        tile = delay(m, self.op_with_column, before_geometry - 1, "tile_a")
        column = delay(m, self.column, before_geometry, "column")
        entry = self._entry(m, tile.head, "scored")
        settings = delay(m, Cat(entry.settings.n_q, entry.settings.n_k, entry.settings.causal), 1, "lengths")
        tile = delay(m, tile, 1, "tile_b")
        m.d.comb += [
            geometry.i_valid.eq(1),
            geometry.i_row.eq(tile.row),
            geometry.i_column.eq(column),
            Cat(geometry.i_n_q, geometry.i_n_k, geometry.i_causal).eq(settings),
        ]
        tile = delay(m, tile, geometry.latency, "tile_c")
        column = delay(m, column, geometry.latency, "column_c")
        m.d.comb += [
            predictor.i_valid.eq(array.o_scores_valid & tile.predict),
            predictor.i_valid_elements.eq(geometry.o_elements),
            predictor.i_first.eq(tile.first_tile),
            predictor.i_last.eq(tile.last_tile),
            predictor.i_last_row.eq(tile.last_row),
            predictor.i_column.eq(column),
            predictor.i_row.eq(tile.row),
            softmax.i_tile_valid.eq(array.o_scores_valid & ~tile.predict),
            softmax.i_slot.eq(tile.slot),
            softmax.i_scores.eq(array.o_scores),
            softmax.i_elements.eq(geometry.o_elements),
            softmax.i_first_tile.eq(tile.first_tile),
            softmax.i_last_tile.eq(tile.last_tile),
        ]
        for r in range(params.tile):
            for c in range(params.tile):
                m.d.comb += predictor.i_a[r][c].eq(array.o_scores[r][c] >> params.operand_width)

    def _count(self, m, sequencer):
        """The counters of ``o_counters``."""
        counters = self.o_counters
        m.d.comb += [self.o_busy.eq(sequencer.o_valid), self.o_mode.eq(sequencer.o_op.mode)]
        m.d.sync += counters.cycles.eq(counters.cycles + self.table.o_used.any())
        for mode in ArrayMode:
            counter = counters[mode.name.lower()]
            m.d.sync += counter.eq(counter + (sequencer.o_valid & (sequencer.o_op.mode == mode)))


def _next_head(head):
    return Mux(head == HEADS_INSIDE - 1, 0, head + 1)


def _connect_while(m, condition, source, sink):
    """A stream to another while ``condition`` holds."""
    m.d.comb += [
        sink.valid.eq(source.valid & condition),
        sink.payload.eq(source.payload),
        source.ready.eq(sink.ready & condition),
    ]
