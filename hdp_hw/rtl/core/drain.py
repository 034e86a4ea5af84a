"""Context sums of a row to output elements."""

from amaranth.hdl import Cat, EnableInserter, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.multiply import multiply, multiply_latency
from hdp_hw.rtl.approximation.normaliser import Normaliser
from hdp_hw.rtl.approximation.reciprocal import Reciprocal
from hdp_hw.rtl.common.layouts import row_layout
from hdp_hw.rtl.common.pipeline import delay, unary_counter
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.tables import guard, normalised_width


class Drain(wiring.Component):
    """``O = ((sum P.V << guard) + e_pruned * V_pruned) / ((sum P << guard) + e_pruned * n_pruned)``, row by row.

    Slices come in for all T query rows at once and go out query row by query row, so two rows' sums are held: one
    is filled while the other leaves. V_pruned is the head's total of V less the kept part. A row without tiles takes
    the totals alone; the row that ends a head reports it.

    Parameters
    ----------
    params : HdpParams
    sums_layout : data.StructLayout
        A row's sums of weights, as SoftmaxUnit gives them.

    Ports
    -----
    i_slice_valid : In(unsigned(1))
        A slice of a row with tiles, the rows in the order of ``i``; only while a store is free.
    i_slice : In(unsigned(bits_for(params.max_slices - 1)))
        Its index.
    i_last_slice : In(unsigned(1))
        The row is complete.
    i_context : In(row_layout(self.context_slice, params))
        Sums of P.V.
    i_value_sum : In(self.value_slice)
        Sum of the kept rows of V.
    i : In(stream.Signature(row_job_layout(params)))
        From the row pipeline: rows in their order. A row is taken when its sums and all its slices have come.
    i_sums : In(stream.Signature(self.sums_layout))
        For each row of ``i``: its sums of weights, see SoftmaxUnit.
    i_shapes : In(data.ArrayLayout(self.shape_layout, HEADS_INSIDE))
        Of the heads in the table.
    o_free : Out(unsigned(1))
        One of the two stores is given back, in a row's last step.
    o_total_read : Out(unsigned(1))
        The totals of V below are read; else ``i_total`` must hold.
    o_total_half : Out(unsigned(1))
        The place of the row's head among the two that the plane store holds V of.
    o_total_word : Out(unsigned(bits_for(params.max_value_words - 1)))
        The word of that head's totals.
    i_total : In(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2))
        Follows ``o_total_*`` by one clock cycle.
    o : Out(stream.Signature(self.beat_layout))
        ``last`` of a head.
    i_report_free : In(unsigned(1))
        A head may be reported; its last beat waits for that.
    o_report : Out(unsigned(1))
        A head's last beat is taken, or would be, were the head not refused.

    Timing
    ------
    A row can be taken when its sums, and all its slices if it has tiles, have come. Taken in clock cycle t, it has
    its first beat in cycle t + 1 + ``latency`` and one of ``out_lanes`` elements per clock cycle, and the next row can
    be taken as many cycles after t as it has beats; a refused head's row counts as one. A beat that is not taken, or
    a head that can't be reported, waits at ``o``, and all else stands still from the next clock cycle on until the
    one in which it goes.

    Numerics
    --------
    See Normaliser. Golden twin ``golden.bits.core.drain``.
    """

    def __init__(self, params, sums_layout):
        self.params, self.sums_layout = params, sums_layout
        self.context_slice = data.ArrayLayout(signed(params.context_width), params.slice_width)
        self.value_slice = data.ArrayLayout(signed(params.value_sum_width), params.slice_width)
        self.shape_layout = data.StructLayout(
            {"slices": unsigned(params.slice_index_width), "n_q": unsigned(params.seq_width)}
        )
        self.beat_layout = data.StructLayout(
            {"data": data.ArrayLayout(signed(params.operand_width), params.out_lanes), "last": unsigned(1)}
        )
        self.pipeline = _DrainPipeline(params)
        super().__init__(
            {
                "i_slice_valid": In(unsigned(1)),
                "i_slice": In(unsigned(bits_for(params.max_slices - 1))),
                "i_last_slice": In(unsigned(1)),
                "i_context": In(row_layout(self.context_slice, params)),
                "i_value_sum": In(self.value_slice),
                "i": In(stream.Signature(row_job_layout(params))),
                "i_sums": In(stream.Signature(sums_layout)),
                "i_shapes": In(data.ArrayLayout(self.shape_layout, HEADS_INSIDE)),
                "o_free": Out(unsigned(1)),
                "o_total_read": Out(unsigned(1)),
                "o_total_half": Out(unsigned(1)),
                "o_total_word": Out(unsigned(bits_for(params.max_value_words - 1))),
                "i_total": In(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2)),
                "o": Out(stream.Signature(self.beat_layout)),
                "i_report_free": In(unsigned(1)),
                "o_report": Out(unsigned(1)),
            }
        )

    @property
    def latency(self):
        """Clock cycles from the step that reads a beat's sums to the beat."""
        return 1 + self.pipeline.latency

    def elaborate(self, platform):
        m = Module()
        params, tile = self.params, self.params.tile
        slice_bits = bits_for(params.max_slices - 1)
        n_parts = params.slice_width // params.out_lanes  # beats of one query row's slice

        # Two stores of a row's slices, all T query rows in one word.
        m.submodules.contexts = contexts = separate_memory(row_layout(self.context_slice, params), 2 << slice_bits)
        m.submodules.values = values = separate_memory(self.value_slice, 2 << slice_bits)
        write_store, read_store = Signal(), Signal()
        for store, value in ((contexts, self.i_context), (values, self.i_value_sum)):
            write = store.write_port()
            m.d.comb += [
                write.addr.eq(Cat(self.i_slice, write_store)),
                write.data.eq(value),
                write.en.eq(self.i_slice_valid),
            ]
        complete = self.i_slice_valid & self.i_last_slice
        m.d.sync += write_store.eq(write_store ^ complete)

        # One beat a cycle: part of a slice of a query row.
        active, advance = Signal(), Signal(init=1)
        job, sums, shape = Signal(row_job_layout(params)), Signal(self.sums_layout), Signal(self.shape_layout)
        n_rows = Signal(range(tile + 1))
        row, slice_, part = Signal(range(tile)), Signal(slice_bits), Signal(range(n_parts + 1))
        last_part, last, takes = Signal(), Signal(), Signal()
        last_slice, last_row = Signal(), Signal()  # told a cycle ahead, for the last beat decides what is taken
        incoming = self.i.payload
        empty, ends, waiting = incoming.empty, Signal(), Signal()
        m.d.comb += [
            last_part.eq(part == n_parts - 1),
            last.eq(job.error | (last_part & last_slice & last_row)),
            ends.eq(active & advance & last),
            takes.eq((~active | ends) & self.i.valid & self.i_sums.valid & (empty | waiting)),
            self.i.ready.eq(takes),
            self.i_sums.ready.eq(takes),
            self.o_free.eq(ends & ~job.empty),
        ]
        m.d.comb += waiting.eq(unary_counter(m, 2, complete, takes & ~empty, name="stores_waiting")[0])
        m.d.sync += read_store.eq(read_store ^ self.o_free)
        with m.If(active & advance):
            m.d.sync += part.eq(part + 1)
            with m.If(last_part):
                m.d.sync += [part.eq(0), slice_.eq(slice_ + 1), last_slice.eq(slice_ + 2 == shape.slices)]
                with m.If(last_slice):
                    m.d.sync += [slice_.eq(0), last_slice.eq(shape.slices == 1)]
                    m.d.sync += [row.eq(row + 1), last_row.eq(row + 2 == n_rows)]
        with m.If(~active | ends):
            m.d.sync += [active.eq(takes), row.eq(0), slice_.eq(0), part.eq(0)]
        next_shape = data.View(self.shape_layout, Signal(self.shape_layout.size, name="next_shape"))
        with m.Switch(incoming.head):
            for head in range(HEADS_INSIDE):
                with m.Case(head):
                    m.d.comb += next_shape.eq(self.i_shapes[head])
        partial = next_shape.n_q[: (tile - 1).bit_length()]  # rows of the head's last block row, unless it is whole
        with m.If(takes):
            m.d.sync += [
                job.eq(incoming),
                sums.eq(self.i_sums.payload),
                shape.eq(next_shape),
                last_slice.eq(next_shape.slices == 1),
                n_rows.eq(Mux(incoming.last & (partial != 0), partial, tile)),
                last_row.eq(incoming.last & (partial == 1)),
            ]

        # What the beat needs; the memories answer in the next cycle, like the registers beside them.
        m.submodules.pipeline = pipeline = EnableInserter(advance)(self.pipeline)
        read_context, read_value = contexts.read_port(), values.read_port()
        m.d.comb += [
            *(port.addr.eq(Cat(slice_, read_store)) for port in (read_context, read_value)),
            *(port.en.eq(advance) for port in (read_context, read_value)),
            self.o_total_read.eq(advance),
            self.o_total_half.eq(job.half),
            self.o_total_word.eq(slice_ >> 1),
        ]
        row_then, part_then, upper = Signal(range(tile)), Signal(range(n_parts + 1)), Signal()
        without_tiles = Signal()
        with m.If(advance):
            m.d.sync += [
                row_then.eq(row),
                part_then.eq(part),
                upper.eq(slice_[0]),
                without_tiles.eq(job.empty),
                pipeline.i_beat.eq(active & ~job.error),
                pipeline.i_ends.eq(active & last & job.last),
                pipeline.i_n_pruned.eq(sums.n_pruned),
            ]
            with m.Switch(row):
                for r in range(tile):
                    with m.Case(r):
                        m.d.sync += [
                            pipeline.i_weight_sum.eq(sums.weight_sum[r]),
                            pipeline.i_e_pruned.eq(sums.e_pruned[r]),
                        ]
        with m.Switch(row_then):
            for r in range(tile):
                with m.Case(r):
                    self._part(m, pipeline.i_context, read_context.data[r], part_then)
        for half in range(2):
            with m.If(upper == half):
                totals = [self.i_total[half * params.slice_width + i] for i in range(params.slice_width)]
                self._part(m, pipeline.i_total, totals, part_then)
        self._part(m, pipeline.i_kept, read_value.data, part_then)
        m.d.comb += pipeline.i_without_tiles.eq(without_tiles)

        # What leaves the pipeline and is not taken waits in a register of its own: all enables come from one bit.
        leaving = Signal(data.StructLayout({"beat": 1, "ends": 1, "y": self.beat_layout["data"].shape}))
        kept, waits, passes = Signal(leaving.shape()), Signal(), Signal()
        with m.If(waits):
            m.d.comb += leaving.eq(kept)
        with m.Else():
            m.d.comb += [
                leaving.beat.eq(pipeline.o_beat),
                leaving.ends.eq(pipeline.o_ends),
                leaving.y.eq(pipeline.o_y),
            ]
            m.d.sync += kept.eq(leaving)
        m.d.sync += [waits.eq(~passes), advance.eq(passes)]
        m.d.comb += [
            self.o.valid.eq(leaving.beat & (~leaving.ends | self.i_report_free)),
            self.o.payload.data.eq(leaving.y),
            self.o.payload.last.eq(leaving.ends),
            passes.eq((~leaving.beat | self.o.ready) & (~leaving.ends | self.i_report_free)),
            self.o_report.eq(leaving.ends & passes),
        ]
        return m

    def _part(self, m, target, elements, part):
        """``target`` = the ``part``-th ``out_lanes`` of a slice's elements."""
        lanes = self.params.out_lanes
        for lane in range(lanes):
            with m.Switch(part):
                for index in range(self.params.slice_width // lanes):
                    with m.Case(index):
                        m.d.comb += target[lane].eq(elements[index * lanes + lane])


class _DrainPipeline(wiring.Component):
    """Arithmetic of the drain, a beat a cycle, without back-pressure: the drain stops its clock enable."""

    def __init__(self, params):
        self.params = params
        self.normalisers = [Normaliser(params) for _ in range(params.out_lanes)]
        self.normaliser = self.normalisers[0]
        self.reciprocal = Reciprocal(params, normalised_width(params.digit_width, params.max_seq_len))
        lanes = params.out_lanes
        values = data.ArrayLayout(signed(params.value_sum_width), lanes)
        super().__init__(
            {
                "i_beat": In(1),
                "i_ends": In(1),
                "i_without_tiles": In(1),
                "i_context": In(data.ArrayLayout(signed(params.context_width), lanes)),
                "i_total": In(values),
                "i_kept": In(values),
                "i_weight_sum": In(unsigned(bits_for(params.digit_max * params.max_seq_len))),
                "i_e_pruned": In(unsigned(self.normaliser.e_width)),
                "i_n_pruned": In(unsigned(params.seq_width)),
                "o_beat": Out(1),
                "o_ends": Out(1),
                "o_y": Out(data.ArrayLayout(signed(params.operand_width), lanes)),
            }
        )

    @property
    def _product_latency(self):
        """Clock cycles of e_pruned * n_pruned."""
        return multiply_latency(self.i_e_pruned.shape(), self.i_n_pruned.shape())

    @property
    def _denominator_latency(self):
        """Product, sum, reciprocal."""
        return self._product_latency + 1 + self.reciprocal.latency

    @property
    def _context_delay(self):
        """Cycles before the normaliser starts, so that the reciprocal is in time: two are used for V_pruned."""
        return max(2, self._denominator_latency - self.normaliser.reciprocal_offset)

    @property
    def latency(self):
        """Clock cycles from inputs to outputs."""
        return self._context_delay + self.normaliser.latency

    def elaborate(self, platform):
        m = Module()
        params = self.params
        # The denominator, shared by the lanes.
        pruned_weight = multiply(m, self.i_e_pruned, self.i_n_pruned, "pruned_weight")
        weight_sum = delay(m, self.i_weight_sum, self._product_latency, "weight_sum")
        denominator = Signal(self.reciprocal.width)
        m.d.sync += denominator.eq((weight_sum << guard(params.digit_width)) + pruned_weight)
        m.submodules.reciprocal = reciprocal = self.reciprocal
        m.d.comb += [reciprocal.i_valid.eq(1), reciprocal.i_x.eq(denominator)]
        late = self._context_delay + self.normaliser.reciprocal_offset - self._denominator_latency
        r, s = delay(m, reciprocal.o_r, late, "r"), delay(m, reciprocal.o_s, late, "s")

        without_tiles = delay(m, self.i_without_tiles, 1, "without_tiles")
        e_of_lanes = delay(m, self.i_e_pruned, self._context_delay, "e_of_lanes")
        for lane, normaliser in enumerate(self.normalisers):
            m.submodules[f"normaliser_{lane}"] = normaliser
            context, total, kept = (
                delay(m, value[lane], 1, f"{name}_{lane}")
                for name, value in (("context", self.i_context), ("total", self.i_total), ("kept", self.i_kept))
            )
            context_of_row = Signal(signed(params.context_width), name=f"context_of_row_{lane}")
            pruned = Signal(signed(params.value_sum_width), name=f"pruned_{lane}")
            m.d.sync += [
                context_of_row.eq(Mux(without_tiles, 0, context)),
                pruned.eq(total - Mux(without_tiles, 0, kept)),
            ]
            m.d.comb += [
                normaliser.i_valid.eq(1),
                normaliser.i_context.eq(delay(m, context_of_row, self._context_delay - 2, f"context_{lane}")),
                normaliser.i_pruned_value.eq(delay(m, pruned, self._context_delay - 2, f"pruned_{lane}")),
                normaliser.i_e_pruned.eq(e_of_lanes),
                normaliser.i_r.eq(r),
                normaliser.i_s.eq(s),
                self.o_y[lane].eq(normaliser.o_y),
            ]
        m.d.comb += [
            self.o_beat.eq(delay(m, self.i_beat, self.latency, "beat")),
            self.o_ends.eq(delay(m, self.i_ends, self.latency, "ends")),
        ]
        return m
