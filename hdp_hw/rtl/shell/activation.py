"""Reads the table of a linear layer's activation, a part of JobEngine."""

from amaranth.hdl import Cat, Mux, Signal

from hdp_hw.spec.encoder import LINE_BYTES, SEGMENT_BITS, Activation


def read_activation(m, running, job, table, o_segment):
    """States ACTIVATION and LINES of JobEngine, behind which comes HEAD: a job's table, a line a clock cycle.

    running : makes a state of a running job; table : BurstReader, whose region has the job's table as its address;
    o_segment : to the lanes.
    """
    n_parts = len(table.o.payload.data) // (8 * LINE_BYTES)  # lines of a bus word
    index, part = Signal(SEGMENT_BITS), Signal(range(n_parts))
    last, line = Signal(), Signal(o_segment.shape())
    m.d.sync += o_segment.eq(line)
    m.d.comb += [line.index.eq(index), last.eq(part == n_parts - 1)]
    with running("ACTIVATION"):
        m.d.sync += [index.eq(0), part.eq(0)]
        m.next = "HEAD"
        with m.If(job.linear & (job.activation == Activation.TABLE)):
            m.next = "ACTIVATION"
            m.d.comb += [table.i.valid.eq(1), table.i.payload.n_beats.eq((1 << SEGMENT_BITS) // n_parts)]
            with m.If(table.i.ready):
                m.next = "LINES"
    with running("LINES"):
        m.d.comb += table.o.ready.eq(last)
        with m.If(table.o.valid):
            word = table.o.payload.data.word_select(part, 8 * LINE_BYTES)
            m.d.comb += [line.valid.eq(1), Cat(line.left, line.slope).eq(word)]
            m.d.sync += [index.eq(index + 1), part.eq(Mux(last, 0, part + 1))]
            with m.If(index == (1 << SEGMENT_BITS) - 1):
                m.next = "HEAD"
