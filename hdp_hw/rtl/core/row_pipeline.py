"""The way of a row through its execution: score, softmax, context, drain."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.pipeline import unary_counter
from hdp_hw.rtl.common.queue import Queue
from hdp_hw.rtl.core.jobs import row_job_layout
from hdp_hw.rtl.core.row_queue import RowQueue
from hdp_hw.spec.timing import QUEUE_DEPTH

N_STORES = 2  #: rows whose sums the drain holds


class RowPipeline(wiring.Component):
    """A row waits in a queue before each stage until what it needs is complete, and until the stage behind has room.

    Parameters
    ----------
    params : HdpParams
    sums_layout : data.StructLayout
        A row's sums of weights, as SoftmaxUnit gives them.

    Ports
    -----
    i : In(stream.Signature(row_job_layout(params)))
        Rows to execute, from ExecuteControl.
    o_score : Out(stream.Signature(row_job_layout(params)))
        Rows whose scores the sequencer may begin; rows without tiles pass it.
    i_score : In(stream.Signature(row_job_layout(params)))
        The sequencer hands on each row of ``o_score`` as it begins or passes.
    o_softmax : Out(stream.Signature(row_job_layout(params)))
        Rows for softmax, offered only while there is room behind it.
    i_linear : In(unsigned(1))
        With ``encoder``: the rows are those of linear layers, from the head table.
    o_linear : Out(stream.Signature(row_job_layout(params)))
        With ``encoder``: rows for LinearDrain, in place of all stages from softmax on.
    i_finished : In(unsigned(1))
        Softmax has the weights of a row of ``o_softmax``, in their order.
    i_sums : In(self.sums_layout)
        With ``i_finished``: that row's sums of weights, from softmax.
    o_context : Out(stream.Signature(row_job_layout(params)))
        Rows whose weights are there, which the sequencer may begin.
    i_context : In(stream.Signature(row_job_layout(params)))
        The sequencer hands on each row of ``o_context`` as it begins or passes.
    o_context_free : Out(unsigned(1))
        The sequencer may begin a row of ``o_context`` that has tiles: the drain has a store for it.
    i_free : In(unsigned(1))
        The drain gives back a store.
    o_drain : Out(stream.Signature(row_job_layout(params)))
        Rows for the drain, whose slices may still be on their way.
    o_sums : Out(stream.Signature(self.sums_layout))
        Sums of weights for the drain, row after row.

    Timing
    ------
    A row can leave a queue one clock cycle after it came, and a queue holds ``QUEUE_DEPTH`` rows. A row is offered on
    ``o_context`` from one clock cycle after its ``i_finished`` on, its sums likewise. Two rows with tiles may be
    between ``i_context`` and ``i_free``.

    Numerics
    --------
    Golden twin ``golden.cycles.core.attention_core``.
    """

    def __init__(self, params, sums_layout):
        self.params, self.sums_layout = params, sums_layout
        job = stream.Signature(row_job_layout(params))
        super().__init__(
            {
                "i": In(job),
                "o_score": Out(job),
                "i_score": In(job),
                "o_softmax": Out(job),
                "i_finished": In(unsigned(1)),
                "i_sums": In(sums_layout),
                "o_context": Out(job),
                "i_context": In(job),
                "o_context_free": Out(unsigned(1)),
                "i_free": In(unsigned(1)),
                "o_drain": Out(job),
                "o_sums": Out(stream.Signature(sums_layout)),
                **({"i_linear": In(unsigned(1)), "o_linear": Out(job)} if params.encoder else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.score_queue = score = RowQueue(self.params)
        m.submodules.softmax_queue = softmax = RowQueue(self.params)
        m.submodules.context_queue = context = RowQueue(self.params)
        m.submodules.drain_queue = drain = RowQueue(self.params)
        m.submodules.sums_queue = sums = Queue(self.sums_layout, depth=2 * QUEUE_DEPTH)

        wiring.connect(m, wiring.flipped(self.i), score.i)
        wiring.connect(m, score.o, wiring.flipped(self.o_score))
        wiring.connect(m, wiring.flipped(self.i_score), softmax.i)
        # Softmax takes a row only when it can hand it on.
        if self.params.encoder:
            _connect_while(m, context.i.ready & ~self.i_linear, softmax.o, self.o_softmax)
            m.d.comb += [
                self.o_linear.valid.eq(softmax.o.valid & self.i_linear),
                self.o_linear.payload.eq(softmax.o.payload),
            ]
            with m.If(self.i_linear):
                m.d.comb += softmax.o.ready.eq(self.o_linear.ready)
        else:
            _connect_while(m, context.i.ready, softmax.o, self.o_softmax)
        m.d.comb += [
            context.i.payload.eq(softmax.o.payload),
            context.i.valid.eq(self.o_softmax.valid & self.o_softmax.ready),
        ]
        # Rows of the context queue whose weights are complete.
        leaves = self.o_context.valid & self.o_context.ready
        finished = unary_counter(m, QUEUE_DEPTH, self.i_finished, leaves, name="finished")
        _connect_while(m, finished[0], context.o, self.o_context)
        wiring.connect(m, wiring.flipped(self.i_context), drain.i)
        wiring.connect(m, drain.o, wiring.flipped(self.o_drain))

        begins = self.i_context.valid & self.i_context.ready & ~self.i_context.payload.empty
        stores = unary_counter(m, N_STORES, self.i_free, begins, init=N_STORES, name="stores")  # that are free
        m.d.comb += [
            self.o_context_free.eq(stores[0]),
            sums.i.payload.eq(self.i_sums),
            sums.i.valid.eq(self.i_finished),
        ]
        wiring.connect(m, sums.o, wiring.flipped(self.o_sums))
        return m


def _connect_while(m, condition, source, sink):
    """A stream to another while ``condition`` holds."""
    m.d.comb += [
        sink.valid.eq(source.valid & condition),
        sink.payload.eq(source.payload),
        source.ready.eq(sink.ready & condition),
    ]
