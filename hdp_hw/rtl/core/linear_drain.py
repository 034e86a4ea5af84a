"""Sums of a linear layer's rows to its results."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import delay, register, unary_counter
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.rtl.core.jobs import row_job_layout, scales_layout, segment_layout
from hdp_hw.rtl.core.softmax_unit import SoftmaxUnit
from hdp_hw.rtl.encoder.epilogue import Epilogue
from hdp_hw.spec.encoder import Activation
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.timing import DRAIN_SPARE, LINEAR_DRAIN_LATENCY

N_ROWS = 8  #: complete rows that may wait, more than the queues before the drain hold


class LinearDrain(wiring.Component):
    """Takes the sums of a block row from the score slots, one after the other, through the epilogue to the output.

    Results leave row by row, and in a row channel by channel: a byte a clock cycle, an operand or half a word. The
    row that ends a head is marked. A beat is begun only when a place in Drain's queue is reserved for it.

    Parameters
    ----------
    params : HdpParams
        With ``encoder``.
    leaving_layout : data.StructLayout
        Of what goes through Drain's queue.

    Ports
    -----
    i : In(stream.Signature(row_job_layout(params)))
        From the row pipeline: rows in their order; a row's tiles may still be on their way.
    i_complete : In(unsigned(1))
        The last tile of a row is in its slot, in the order of ``i``.
    i_shapes : In(data.ArrayLayout(self.shape_layout, HEADS_INSIDE))
        Of the heads in the table.
    i_scales : In(scales_layout(params))
        The plane store's channels of a head, before its rows come.
    i_segment : In(segment_layout())
        From the host: a line of the activation's table; none while heads are inside that use it.
    o_slot : Out(unsigned(params.score_slot_width))
        The slot that is read.
    o_step : Out(unsigned(bits_for(params.softmax_steps - 1)))
        The step of the softmax unit to whose elements the sum that is read belongs.
    i_sums : In(data.ArrayLayout(signed(params.sum_width), params.softmax_lanes))
        The sums of these elements of the slot, ``SoftmaxUnit.sums_latency`` clock cycles after ``o_slot``.
    o_freed : Out(unsigned(params.n_blocks_width))
        Score slots that are given back, one clock cycle after the row's last step; else 0.
    o_valid : Out(unsigned(1))
        A beat goes to Drain's queue.
    o : Out(self.leaving_layout)
        With ``o_valid``: results of ``out_lanes`` bytes, little-endian.
    i_left : In(unsigned(1))
        A beat left that queue in the clock cycle before.

    Timing
    ------
    A row can be taken one clock cycle after ``i_complete``. Taken in clock cycle t, its bytes are begun from t + 1 on,
    one a clock cycle; the next row can be taken in the cycle of the last. A refused head's row counts as one beat. A
    beat is at ``o`` ``latency`` clock cycles after its last byte was begun. At most ``depth`` beats are begun and have
    not left.

    Numerics
    --------
    Golden twin ``golden.bits.encoder.linear_head``; clock cycles: ``golden.cycles.core.drain``.
    """

    latency, depth = LINEAR_DRAIN_LATENCY - 1, LINEAR_DRAIN_LATENCY + DRAIN_SPARE

    def __init__(self, params, leaving_layout):
        self.params, self.leaving_layout = params, leaving_layout
        self.shape_layout = data.StructLayout(
            {"n_q": unsigned(params.seq_width), "words": unsigned(1), "activation": Activation}
        )
        self.epilogue = Epilogue()
        super().__init__(
            {
                "i": In(stream.Signature(row_job_layout(params))),
                "i_complete": In(unsigned(1)),
                "i_shapes": In(data.ArrayLayout(self.shape_layout, HEADS_INSIDE)),
                "i_scales": In(scales_layout(params)),
                "i_segment": In(segment_layout()),
                "o_slot": Out(unsigned(params.score_slot_width)),
                "o_step": Out(unsigned(bits_for(params.softmax_steps - 1))),
                "i_sums": In(data.ArrayLayout(signed(params.sum_width), params.softmax_lanes)),
                "o_freed": Out(unsigned(params.n_blocks_width)),
                "o_valid": Out(unsigned(1)),
                "o": Out(leaving_layout),
                "i_left": In(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params, tile, n_lanes = self.params, self.params.tile, self.params.out_lanes
        active, steps, takes, ends = (Signal(name=name) for name in ("active", "steps", "takes", "ends"))
        job, shape = Signal(row_job_layout(params)), Signal(self.shape_layout)
        last_block, last_row = Signal(range(params.max_blocks)), Signal(range(tile))
        # A step: a byte of a sum's result; the innermost counter first.
        high, column, block, row = (
            Signal(range(n), name=name)
            for name, n in (("high", 2), ("column", tile), ("block", params.max_blocks), ("row", tile))
        )
        lane_bits = params.softmax_lanes.bit_length() - 1
        part = Signal(range(n_lanes))  # of the beat
        last_part, last_step, last = Signal(), Signal(), Signal()
        places = unary_counter(m, self.depth, steps & (part == 0), self.i_left, name="places")
        complete = unary_counter(m, N_ROWS, self.i_complete, takes & ~self.i.payload.error, name="complete")
        counters = [
            (high, ~shape.words | high),
            (column, column == tile - 1),
            (block, block == last_block),
            (row, row == last_row),
        ]
        m.d.comb += [
            steps.eq(active & ((part != 0) | ~places[-1])),
            last_part.eq(job.error | (part == n_lanes - 1)),
            last.eq(job.error | last_step),
            ends.eq(steps & last),
            takes.eq((~active | ends) & self.i.valid & (self.i.payload.error | complete[0])),
            self.i.ready.eq(takes),
            self.o_step.eq(Cat(column, row) >> lane_bits),
        ]
        carry = steps
        for counter, is_last in counters:
            with m.If(carry):
                m.d.sync += counter.eq(Mux(is_last, 0, counter + 1))
                if counter is block:
                    m.d.sync += self.o_slot.eq(Mux(is_last, job.base, self.o_slot + 1))
            carry = carry & is_last
        with m.If(steps):
            m.d.sync += part.eq(Mux(last_part, 0, part + 1))
        m.d.sync += self.o_freed.eq(Mux(ends & ~job.error, job.n_tiles, 0))
        next_shape = Array([self.i_shapes[head] for head in range(HEADS_INSIDE)])[self.i.payload.head]
        partial = next_shape.n_q[: len(last_row)]  # rows of the head's last block row, unless it is whole
        # Told a cycle ahead, for the last step decides whether a row is taken.
        before_last = (column == Mux(shape.words, tile - 1, tile - 2)) & (block == last_block) & (row == last_row)
        with m.If(steps):
            m.d.sync += last_step.eq(before_last)
        with m.If(~active | ends):
            m.d.sync += [active.eq(takes), last_step.eq(0)]
        with m.If(takes):
            m.d.sync += [
                job.eq(self.i.payload),
                self.o_slot.eq(self.i.payload.base),
                shape.eq(next_shape),
                last_block.eq(self.i.payload.n_tiles - 1),
                last_row.eq(Mux(self.i.payload.last, partial - 1, tile - 1)),
                *(counter.eq(0) for counter, _ in counters),
            ]

        # The sum and its channel's scales, then the epilogue.
        at_pick = SoftmaxUnit.sums_latency
        lane = delay(m, Cat(column, row)[:lane_bits], at_pick, "lane")
        total = register(m, Array(self.i_sums)[lane], "total")
        scales = delay(m, self._scales(m, Cat(column, block, job.half)), at_pick, "scales", reset_less=True)
        m.submodules.epilogue = epilogue = self.epilogue
        late = at_pick + 2
        m.d.comb += [
            epilogue.i_valid.eq(delay(m, steps, late, "valid")),
            epilogue.i_sum.eq(register(m, total + scales.bias, "sum")),
            *(
                getattr(epilogue, f"i_{name}").eq(delay(m, scales[name], 1, name, reset_less=True))
                for name in ("shift", "mult", "factor")
            ),
            epilogue.i_activation.eq(delay(m, shape.activation, late, "activation")),
            epilogue.i_write.eq(self.i_segment.valid),
            epilogue.i_segment.eq(self.i_segment.index),
            *(epilogue.i_line[name].eq(self.i_segment[name]) for name, _ in epilogue.i_line.shape()),
        ]

        # Bytes to beats.
        late += epilogue.latency
        words, is_high = (delay(m, x, late, name) for x, name in ((shape.words, "words"), (high, "is_high")))
        byte = Mux(words, epilogue.o_word.word_select(is_high, 8), epilogue.o_operand)
        bytes_before = Signal(8 * n_lanes)
        m.d.sync += bytes_before.eq(Cat(bytes_before, byte)[8:])
        flags = delay(m, Cat(~job.error, last & job.last), late + 1, "flags")
        m.d.comb += [
            self.o_valid.eq(delay(m, steps & last_part, late + 1, "beats")),
            self.o.data.eq(bytes_before),
            Cat(self.o.beat, self.o.ends).eq(flags),
        ]
        return m

    def wire(self, m, core, rows, router):
        """Put the drain into a core with these blocks."""
        m.submodules.linear = self
        table, softmax, drain = core.table, core.softmax, core.drain
        wiring.connect(m, rows.o_linear, self.i)
        m.d.comb += [
            rows.i_linear.eq(table.o_linear),
            softmax.i_linear.eq(table.o_linear),
            softmax.i_linear_slot.eq(self.o_slot),
            softmax.i_linear_step.eq(self.o_step),
            self.i_complete.eq(router.o_softmax_valid & router.o_last_tile & table.o_linear),
            self.i_scales.eq(core.planes.o_scales),
            self.i_segment.eq(core.i_segment),
            self.i_sums.eq(softmax.o_linear_sums),
            drain.i_linear_valid.eq(self.o_valid),
            drain.i_linear.eq(self.o),
            self.i_left.eq(drain.o_left),
        ]
        for shape, entry in zip(self.i_shapes, table.o_entries):
            m.d.comb += [shape[name].eq(entry.settings[name]) for name, _ in shape.shape()]

    def _scales(self, m, address):
        """Scales of a channel, one clock cycle later."""
        m.submodules.scales = scales = separate_memory(self.i_scales.scales.shape(), 1 << len(address))
        write, read = scales.write_port(), scales.read_port()
        m.d.comb += [
            write.addr.eq(Cat(self.i_scales.channel, self.i_scales.half)),
            write.data.eq(self.i_scales.scales),
            write.en.eq(self.i_scales.valid),
            read.addr.eq(address),
            read.en.eq(1),
        ]
        return read.data
