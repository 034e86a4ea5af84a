"""What the array does next."""

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.core.jobs import head_shape_layout, micro_op_layout, row_job_layout
from hdp_hw.spec.formats import HEADS_INSIDE
from hdp_hw.spec.params import ArrayMode


class Sequencer(wiring.Component):
    """Interleaves three kinds of row operation on the array without a bubble between them.

    - *predict*: the tiles of a row in INTEGER, for the predictor, which each of them gives its time;
    - *score*: a row's survivors in INTEGER and CROSS, or in FULL, always where the array is ``exact``;
    - *context*: for each slice of V, the row's survivors in CONTEXT.

    Whenever the array is free, or in the last cycle of an operation, the first that can begin is taken, in the order
    predict, context, score: context makes room for scores. Behind a prediction, though, the order is context, score,
    predict until a row of scores has begun or passed: the predictions of a head, spread over the rows of the one
    before, give softmax and drain the time that these need. A row without survivors passes on without touching the
    array.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_shapes : In(data.ArrayLayout(head_shape_layout(params), HEADS_INSIDE))
        Of the heads in the table.
    i_predict : In(stream.Signature(row_job_layout(params)))
        A row to predict, of at least one tile.
    i_score : In(stream.Signature(row_job_layout(params)))
        From the row pipeline: a row whose scores are due; ``n_tiles`` survivors, or ``empty``.
    o_score : Out(stream.Signature(row_job_layout(params)))
        The row of ``i_score``, when it begins or passes.
    i_context : In(stream.Signature(row_job_layout(params)))
        From the row pipeline: a row whose weights are complete, or ``empty``.
    o_context : Out(stream.Signature(row_job_layout(params)))
        The row of ``i_context``, when it begins or passes.
    i_context_free : In(unsigned(1))
        The drain has a store for a row.
    o_freed : Out(unsigned(params.n_blocks_width))
        With a context row's last micro-operation: score slots that it gives back; else 0.
    o_valid : Out(unsigned(1))
        A micro-operation.
    o_op : Out(micro_op_layout(params))
        ``column`` counts only with ``predict``, ``slot`` only without.

    Timing
    ------
    An operation that is taken in clock cycle t has its micro-operations in ``o_op`` from cycle t + ``latency`` = t + 2
    on, one a cycle; those of a predicted tile come after as many idle cycles as its head's shape has in ``wait``. The
    next can be taken as many cycles after t as it takes in all. Back-pressure of a queue behind holds back its own kind
    only.

    Numerics
    --------
    Golden twin ``golden.bits.core.sequencer``; its schedule: ``golden.cycles.core.sequencer``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        job = stream.Signature(row_job_layout(params))
        super().__init__(
            {
                "i_shapes": In(data.ArrayLayout(head_shape_layout(params), HEADS_INSIDE)),
                "i_predict": In(job),
                "i_score": In(job),
                "o_score": Out(job),
                "i_context": In(job),
                "o_context": Out(job),
                "i_context_free": In(unsigned(1)),
                "o_freed": Out(unsigned(params.n_blocks_width)),
                "o_valid": Out(unsigned(1)),
                "o_op": Out(micro_op_layout(params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        params = self.params
        active, predict = Signal(), Signal()
        job = Signal(row_job_layout(params))
        shape = Signal(head_shape_layout(params))
        mode = Signal(ArrayMode)
        cycle = Signal(signed(params.slice_index_width + 1))  # below 0 in the idle cycles before a predicted tile
        tile = Signal(params.n_blocks_width)
        op = Signal(micro_op_layout(params))

        limit = Signal(params.slice_index_width)  # cycles of a tile, or of a row of slices, in this mode
        is_context = mode == ArrayMode.CONTEXT
        # Ends are told a cycle ahead: the last cycle of an operation decides what begins in the next.
        last_tile, last_cycle = Signal(), Signal()
        goes_cross = Signal()  # the tile's CROSS cycles are still to come; an exact array has none
        free = Signal(init=1)  # nothing runs, or the operation ends
        first_tile = Signal()
        m.d.comb += first_tile.eq(tile == 0)

        # The running operation: tiles outside and cycles inside for scores, the other way round for context.
        ends_tile, ends_cycle, crosses = Signal(), Signal(), Signal()  # last_tile, last_cycle, goes_cross that follow
        m.d.comb += [ends_tile.eq(last_tile), ends_cycle.eq(last_cycle), crosses.eq(goes_cross)]
        with m.If(active):
            with m.If(is_context):
                m.d.sync += tile.eq(tile + 1)
                m.d.comb += ends_tile.eq(tile + 2 == job.n_tiles)
                with m.If(last_tile):
                    m.d.sync += [tile.eq(0), cycle.eq(cycle + 1)]
                    m.d.comb += [ends_tile.eq(job.n_tiles == 1), ends_cycle.eq(cycle + 2 == limit)]
            with m.Else():
                m.d.sync += cycle.eq(cycle + 1)
                m.d.comb += ends_cycle.eq(cycle + 2 == limit)
                with m.If(last_cycle):
                    wait = Mux(predict, shape.wait, 0)
                    m.d.sync += [cycle.eq(-wait), tile.eq(tile + 1)]
                    m.d.comb += [ends_cycle.eq((limit == 1) & (wait == 0)), ends_tile.eq(tile + 2 == job.n_tiles)]
                    if not params.exact:
                        with m.If(goes_cross):
                            m.d.sync += [mode.eq(ArrayMode.CROSS), limit.eq(shape.cross), tile.eq(tile)]
                            m.d.comb += [ends_cycle.eq(shape.cross == 1), crosses.eq(0), ends_tile.eq(last_tile)]
                        with m.Elif(mode == ArrayMode.CROSS):
                            m.d.sync += [mode.eq(ArrayMode.INTEGER), limit.eq(shape.integer)]
                            m.d.comb += [ends_cycle.eq(shape.integer == 1), crosses.eq(1)]
        m.d.sync += [
            last_tile.eq(ends_tile),
            last_cycle.eq(ends_cycle),
            goes_cross.eq(crosses),
            free.eq(ends_tile & ends_cycle & ~crosses),
        ]
        m.d.comb += [
            op.mode.eq(mode),
            op.predict.eq(predict),
            op.head.eq(job.head),
            op.half.eq(job.half),
            op.row.eq(job.row),
            op.column.eq(tile),
            op.slot.eq(job.base + tile),
            op.cycle.eq(cycle),
            op.first.eq(Mux(is_context, first_tile, (cycle == 0) & (mode != ArrayMode.CROSS))),
            op.last.eq(Mux(is_context, last_tile, last_cycle & ~goes_cross)),
            op.first_tile.eq(first_tile),
            op.last_tile.eq(Mux(is_context, last_cycle, last_tile)),
            op.last_row.eq(job.last),
        ]
        m.d.sync += [
            self.o_valid.eq(active & (cycle >= 0)),
            self.o_op.eq(op),
            self.o_freed.eq(Mux(active & free & is_context, job.n_tiles, 0)),
        ]

        # The next operation. What is chosen comes straight from the queues' registers, and is loaded whether or not it
        # begins: that decides on `active` alone.
        yields = Signal()
        room = {"context": self.i_context_free, "score": 1}
        wanted = {}
        for name, condition in room.items():
            source, sink = getattr(self, f"i_{name}"), getattr(self, f"o_{name}")
            wanted[name] = source.valid & ~source.payload.empty & condition & sink.ready
        first, predicts = Signal(), Signal()  # a prediction may begin, and does
        before_all = self.i_predict.valid & ~yields  # a prediction begins whatever else is wanted
        m.d.comb += [
            first.eq(~yields | ~(wanted["context"] | wanted["score"])),
            predicts.eq(self.i_predict.valid & first),
            self.i_predict.ready.eq(free & first),
        ]
        for name, condition in room.items():
            source, sink = getattr(self, f"i_{name}"), getattr(self, f"o_{name}")
            before = before_all | (wanted["context"] if name == "score" else 0)
            begins = condition & free & ~before
            m.d.comb += [
                source.ready.eq(source.valid & sink.ready & (source.payload.empty | begins)),
                sink.valid.eq(source.valid & (source.payload.empty | (sink.ready & begins))),
                sink.payload.eq(source.payload),
            ]
        with m.If(self.o_score.valid & self.o_score.ready):
            m.d.sync += yields.eq(0)
        with m.If(predicts & free):
            m.d.sync += yields.eq(1)
        with m.If(free):
            m.d.sync += [
                active.eq(predicts | wanted["context"] | wanted["score"]),
                predict.eq(predicts),
                goes_cross.eq(0),
                cycle.eq(0),
                tile.eq(0),
                free.eq(1),
            ]
            with m.If(predicts):
                begun, short = self._load(
                    m, job, shape, limit, self.i_predict.payload, last_tile, last_cycle, "integer"
                )
                m.d.sync += [mode.eq(ArrayMode.INTEGER), cycle.eq(-begun.wait), free.eq(short & (begun.wait == 0))]
                with m.If(begun.wait != 0):
                    m.d.sync += last_cycle.eq(0)
            with m.Elif(wanted["context"]):
                _, short = self._load(m, job, shape, limit, self.i_context.payload, last_tile, last_cycle, "slices")
                m.d.sync += [mode.eq(ArrayMode.CONTEXT), free.eq(short)]
            with m.Else():
                source = self.i_score.payload
                if not params.exact:
                    self._load(m, job, shape, limit, source, last_tile, last_cycle, "integer")
                    m.d.sync += [mode.eq(ArrayMode.INTEGER), goes_cross.eq(1), free.eq(~wanted["score"])]
                with m.If(source.full | params.exact):
                    _, short = self._load(m, job, shape, limit, source, last_tile, last_cycle, "slices")
                    m.d.sync += [mode.eq(ArrayMode.FULL), goes_cross.eq(0), free.eq(short | ~wanted["score"])]
        return m

    def _load(self, m, job, shape, limit, source, last_tile, last_cycle, count):
        """Begin with the row of ``source``, of which a tile takes ``count`` of its head's shape.

        Returns the shape, and whether the row takes a single clock cycle.
        """
        source_shape = Array([self.i_shapes[head] for head in range(HEADS_INSIDE)])[source.head]
        single_tile, single_cycle = source.n_tiles == 1, source_shape[count] == 1
        m.d.sync += [job.eq(source), shape.eq(source_shape), limit.eq(source_shape[count])]
        m.d.sync += [last_tile.eq(single_tile), last_cycle.eq(single_cycle)]
        return source_shape, single_tile & single_cycle
