"""What JobEngine reads for a job as a whole, word by word; parts of JobEngine."""

from amaranth.hdl import Cat, Mux, Signal

from hdp_hw.spec.encoder import TABLE_BYTES, Activation
from hdp_hw.spec.formats import DESCRIPTOR_BYTES
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.registers import WORD_BYTES


def read_activation(m, running, job, table, o_segment):
    """States from ACTIVATION on, behind which comes HEAD: the table of a job's activation, to the lanes.

    running, table : as for :func:`_read_words`; o_segment : to the lanes, a line in a clock cycle.
    """
    wanted = job.linear & (job.activation == Activation.TABLE)
    valid, index, word = _read_words(m, running, table, "ACTIVATION", wanted, job.table, TABLE_BYTES, "HEAD")
    m.d.sync += [o_segment.valid.eq(valid), o_segment.index.eq(index), Cat(o_segment.left, o_segment.slope).eq(word)]


def read_descriptor(m, running, job, table, o_load):
    """States from CHAIN on, behind which comes WAIT: the descriptor of the job that follows, to the job registers."""
    wanted, ready = job.chain.any(), o_load.ready
    valid, index, word = _read_words(m, running, table, "CHAIN", wanted, job.chain, DESCRIPTOR_BYTES, "WAIT", ready)
    m.d.comb += [o_load.valid.eq(valid), o_load.payload.index.eq(index), o_load.payload.word.eq(word)]


def _read_words(m, running, table, name, wanted, address, n_bytes, following, ready=1):
    """``(valid, index, word)`` of a region's words of 4 bytes, one in a clock cycle, in states from ``name`` on.

    running : makes a state of a running job; table : BurstReader; wanted : else nothing is read; address, n_bytes : of
    the region; following : the state behind; ready : the word is taken.
    """
    n_words, n_parts = n_bytes // WORD_BYTES, len(table.o.payload.data) // (8 * WORD_BYTES)  # words of a bus word
    index, part = Signal(bits_for(n_words - 1), name=f"{name}_index"), Signal(range(n_parts), name=f"{name}_part")
    valid, last = Signal(name=f"{name}_valid"), part == n_parts - 1
    with running(name):
        m.d.sync += [index.eq(0), part.eq(0)]
        m.next = following
        with m.If(wanted):
            m.next = name
            m.d.comb += [table.i.valid.eq(1), table.i.payload.address.eq(address)]
            m.d.comb += table.i.payload.n_beats.eq(n_words // n_parts)
            with m.If(table.i.ready):
                m.next = f"{name}_WORDS"
    with running(f"{name}_WORDS"):
        m.d.comb += [valid.eq(table.o.valid), table.o.ready.eq(last & ready)]
        with m.If(valid & ready):
            m.d.sync += [index.eq(index + 1), part.eq(Mux(last, 0, part + 1))]
            with m.If(index == n_words - 1):
                m.next = following
    return valid, index, table.o.payload.data.word_select(part, 8 * WORD_BYTES)
