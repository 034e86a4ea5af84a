"""Context sums of a row to output elements."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.approximation.normaliser import Normaliser
from hdp_hw.rtl.common.layouts import row_layout
from hdp_hw.rtl.common.pipeline import LOCAL, delay, register, unary_counter
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.linear_drain import LinearDrain
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import DRAIN_SPARE, core_latencies


class Drain(wiring.Component):
    """``O = ((sum P.V << guard) + e_pruned * V_pruned) / ((sum P << guard) + e_pruned * n_pruned)``, row by row.

    Slices come in for all T query rows at once and go out query row by query row, so two rows' sums are held: one
    is filled while the other leaves. V_pruned is the head's total of V less the kept part. A row without tiles takes
    the totals alone; the row that ends a head reports it. The arithmetic never stands still: a beat is begun only when
    a place in the queue at the output is reserved for it.

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
    i_linear_valid : In(unsigned(1))
        With ``encoder``: a beat of LinearDrain, which has reserved its place; only while no row of attention is inside.
    i_linear : In(self.leaving_layout)
        With ``i_linear_valid``: ``data``; whether it is a ``beat``, or stands for a refused head; ``ends`` a head.
    o_left : Out(unsigned(1))
        With ``encoder``: a beat left in the clock cycle before.

    Timing
    ------
    A row can be taken when its sums, and all its slices if it has tiles, have come. Taken in clock cycle t, its first
    beat is begun in cycle t + 1, and one of ``out_lanes`` elements in each that follows; the next row can be taken in
    the cycle of the last. A refused head's row counts as one beat. A beat is at ``o`` ``latency`` clock cycles after it
    was begun. At most ``latency`` + ``DRAIN_SPARE`` beats are begun and not gone: the next one is begun two clock
    cycles after one of them went, or later.

    Numerics
    --------
    See Normaliser. Golden twin ``golden.bits.core.drain``.
    """

    def __init__(self, params, sums_layout):
        self.params, self.sums_layout = params, sums_layout
        self.context_slice = data.ArrayLayout(signed(params.context_width), params.slice_width)
        self.value_slice = data.ArrayLayout(signed(params.value_sum_width), params.slice_width)
        self.context_part = data.ArrayLayout(signed(params.context_width), params.out_lanes)
        self.value_part = data.ArrayLayout(signed(params.value_sum_width), params.out_lanes)
        self.shape_layout = data.StructLayout(
            {"slices": unsigned(params.slice_index_width), "n_q": unsigned(params.seq_width)}
        )
        self.beat_layout = data.StructLayout(
            {"data": data.ArrayLayout(signed(params.operand_width), params.out_lanes), "last": unsigned(1)}
        )
        self.leaving_layout = data.StructLayout({"data": self.beat_layout["data"].shape, "beat": 1, "ends": 1})
        self.normaliser = Normaliser(params)
        self.depth = core_latencies(params).drain + DRAIN_SPARE
        longest = max(self.depth, LinearDrain.depth) if params.encoder else self.depth
        self.queue = Queue(self.leaving_layout, longest, registered=bool(params.encoder))
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
                "o_total_half": Out(unsigned(1)),
                "o_total_word": Out(unsigned(bits_for(params.max_value_words - 1))),
                "i_total": In(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2)),
                "o": Out(stream.Signature(self.beat_layout)),
                "i_report_free": In(unsigned(1)),
                "o_report": Out(unsigned(1)),
                **(self._linear_ports() if params.encoder else {}),
            }
        )

    def _linear_ports(self):
        return {
            "i_linear_valid": In(unsigned(1)),
            "i_linear": In(self.leaving_layout),
            "o_left": Out(unsigned(1)),
        }

    @property
    def latency(self):
        """Clock cycles from a beat's beginning to the output: sums, normaliser, queue."""
        return 1 + self.normaliser.latency + self.queue.latency

    def elaborate(self, platform):
        m = Module()
        params, tile = self.params, self.params.tile
        slice_bits = bits_for(params.max_slices - 1)
        n_parts = params.slice_width // params.out_lanes  # beats of one query row's slice

        # Two stores of a row's slices: a memory each query row, and one of the V rows' sums.
        contents, reads, addresses = [*self.i_context, self.i_value_sum], [], []
        write_store, read_store = Signal(), Signal()
        for index, content in enumerate(contents):
            m.submodules[f"store_{index}"] = store = separate_memory(content.shape(), 2 << slice_bits)
            write, read = store.write_port(), store.read_port()
            address = Signal(slice_bits + 1, name=f"address_{index}", attrs=LOCAL)  # Cat(slice_, read_store)
            m.d.comb += [
                write.addr.eq(Cat(self.i_slice, write_store)),
                write.data.eq(content),
                write.en.eq(self.i_slice_valid),
                read.addr.eq(address),
                read.en.eq(1),
            ]
            reads.append(read.data)
            addresses.append(address)
        complete = self.i_slice_valid & self.i_last_slice
        m.d.sync += write_store.eq(write_store ^ complete)

        # One beat a cycle, if the queue will have room for it: part of a slice of a query row.
        m.submodules.queue = queue = self.queue
        active, steps = Signal(), Signal()
        leaves = delay(m, queue.o.valid & queue.o.ready, 1, "leaves")
        places = unary_counter(m, self.depth, steps, leaves, name="places")
        m.d.comb += steps.eq(active & ~places[-1])
        job, sums, shape = Signal(row_job_layout(params)), Signal(self.sums_layout), Signal(self.shape_layout)
        n_rows = Signal(range(tile + 1))
        row, slice_, part = Signal(range(tile)), Signal(slice_bits), Signal(range(max(n_parts, 2)))
        next_slice = Signal.like(slice_)
        last, takes = Signal(), Signal()
        # Told a cycle ahead, for the last beat decides what is taken.
        last_part, last_slice, last_row = Signal(init=n_parts == 1), Signal(), Signal()
        incoming = self.i.payload
        empty, ends, waiting = incoming.empty, Signal(), Signal()
        m.d.comb += [
            last.eq(job.error | (last_part & last_slice & last_row)),
            ends.eq(steps & last),
            takes.eq((~active | ends) & self.i.valid & self.i_sums.valid & (empty | waiting)),
            self.i.ready.eq(takes),
            self.i_sums.ready.eq(takes),
            self.o_free.eq(ends & ~job.empty),
        ]
        m.d.comb += waiting.eq(unary_counter(m, 2, complete, takes & ~empty, name="stores_waiting")[0])
        next_store = read_store ^ self.o_free
        m.d.comb += next_slice.eq(slice_)
        m.d.sync += [read_store.eq(next_store), slice_.eq(next_slice)]
        m.d.sync += [address.eq(Cat(next_slice, next_store)) for address in addresses]
        with m.If(steps):
            m.d.sync += [part.eq(part + 1), last_part.eq(part + 2 == n_parts)]
            with m.If(last_part):
                m.d.sync += [
                    part.eq(0),
                    last_part.eq(n_parts == 1),
                    last_slice.eq(slice_ + 2 == shape.slices),
                ]
                m.d.comb += next_slice.eq(slice_ + 1)
                with m.If(last_slice):
                    m.d.comb += next_slice.eq(0)
                    m.d.sync += last_slice.eq(shape.slices == 1)
                    m.d.sync += [row.eq(row + 1), last_row.eq(row + 2 == n_rows)]
        next_shape = data.View(self.shape_layout, Signal(self.shape_layout.size, name="next_shape"))
        with m.Switch(incoming.head):
            for head in range(HEADS_INSIDE):
                with m.Case(head):
                    m.d.comb += next_shape.eq(self.i_shapes[head])
        partial = next_shape.n_q[: (tile - 1).bit_length()]  # rows of the head's last block row, unless it is whole
        with m.If(~active | ends):  # the row is loaded whether or not it is taken
            m.d.comb += next_slice.eq(0)
            m.d.sync += [
                active.eq(takes),
                row.eq(0),
                part.eq(0),
                last_part.eq(n_parts == 1),
                job.eq(incoming),
                sums.eq(self.i_sums.payload),
                shape.eq(next_shape),
                last_slice.eq(next_shape.slices == 1),
                n_rows.eq(Mux(incoming.last & (partial != 0), partial, tile)),
                last_row.eq(incoming.last & (partial == 1)),
            ]

        # What the beat needs. The sums are in registers in the next cycle; so is what the memories answer, of which a
        # query row, then the beat's part are chosen before the pruned rows of V are told from the kept ones.
        m.submodules.normaliser = normaliser = self.normaliser
        m.d.comb += [
            self.o_total_half.eq(job.half),
            self.o_total_word.eq(slice_ >> 1),
            normaliser.i_valid.eq(delay(m, steps, 1, "steps")),
            normaliser.i_weight_sum.eq(register(m, _piece(sums.weight_sum, tile, row), "weight_sum")),
            normaliser.i_e_pruned.eq(register(m, _piece(sums.e_pruned, tile, row), "e_pruned")),
            normaliser.i_n_pruned.eq(register(m, sums.n_pruned, "n_pruned")),
        ]
        context = register(m, _piece(Cat(reads[:-1]), tile, delay(m, row, 1, "row")), "context")
        total = register(m, _piece(self.i_total, 2, delay(m, slice_[0], 1, "upper")), "total")
        kept = register(m, reads[-1], "kept")
        part_then, without_tiles = delay(m, part, 2, "part"), delay(m, job.empty, 3, "without_tiles")
        part_of_context = self.context_part(register(m, _piece(context, n_parts, part_then), "part_of_context"))
        part_of_total = self.value_part(register(m, _piece(total, n_parts, part_then), "part_of_total"))
        part_of_kept = self.value_part(register(m, _piece(kept, n_parts, part_then), "part_of_kept"))
        in_time = normaliser.lead - 2
        for lane in range(params.out_lanes):
            of_lane = Mux(without_tiles, 0, part_of_context[lane])
            pruned = Signal(signed(params.value_sum_width), name=f"pruned_{lane}")
            m.d.comb += [
                pruned.eq(part_of_total[lane] - Mux(without_tiles, 0, part_of_kept[lane])),
                normaliser.i_context[lane].eq(delay(m, of_lane, in_time, f"context_{lane}", reset_less=True)),
                normaliser.i_pruned_value[lane].eq(delay(m, pruned, in_time, f"pruned_value_{lane}", reset_less=True)),
            ]

        # Out of the queue; nothing before it waits. What ends a head waits until it can be reported.
        flags = Cat(~job.error, last & job.last)
        m.d.comb += [
            queue.i.valid.eq(normaliser.o_valid),
            queue.i.payload.data.eq(normaliser.o_y),
            Cat(queue.i.payload.beat, queue.i.payload.ends).eq(delay(m, flags, 1 + normaliser.latency, "flags")),
        ]
        if params.encoder:
            m.d.comb += self.o_left.eq(leaves)
            with m.If(self.i_linear_valid):
                m.d.comb += [queue.i.valid.eq(1), queue.i.payload.eq(self.i_linear)]
        leaving = queue.o.payload
        m.d.comb += [
            self.o.valid.eq(queue.o.valid & leaving.beat & (~leaving.ends | self.i_report_free)),
            self.o.payload.data.eq(leaving.data),
            self.o.payload.last.eq(leaving.ends),
            queue.o.ready.eq((~leaving.beat | self.o.ready) & (~leaving.ends | self.i_report_free)),
            self.o_report.eq(queue.o.valid & leaving.ends & queue.o.ready),
        ]
        return m


def _piece(value, n, index):
    """One of ``n`` pieces of a value, of equal width, as bits."""
    bits = Value.cast(value)
    width = len(bits) // n
    return Value.cast(Array(bits[piece * width : (piece + 1) * width] for piece in range(n))[index])
