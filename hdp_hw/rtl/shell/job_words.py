"""What JobEngine reads for a job as a whole, word by word; parts of JobEngine."""

from amaranth.hdl import Cat, Mux, Signal

from hdp_hw.spec.encoder import TABLE_BYTES, Activation
from hdp_hw.spec.formats import DESCRIPTOR_BYTES
from hdp_hw.spec.params import bits_for
from hdp_hw.spec.registers import WORD_BYTES


class Words:
    """Words of 4 bytes out of the bus words of a BurstReader: ``index`` in the region, ``part`` of the bus word."""

    def __init__(self, table):
        self.table, width = table, 8 * WORD_BYTES
        self.n_parts = len(table.o.payload.data) // width
        self.index = Signal(bits_for(TABLE_BYTES // WORD_BYTES - 1), name="word_index")  # of the longer region
        self.part = Signal(range(self.n_parts), name="word_part")
        self.last, self.word = self.part == self.n_parts - 1, table.o.payload.data.word_select(self.part, width)

    def read(self, m, running, name, wanted, address, n_bytes, following, ready=1):
        """States from ``name`` on that read a region, a word in a clock cycle; returns whether there is one.

        running : makes a state of a running job; wanted : else nothing is read; address, n_bytes : of the region;
        following : the state behind; ready : the word is taken.
        """
        table, n_words, valid = self.table, n_bytes // WORD_BYTES, Signal(name=f"{name}_valid")
        with running(name):
            m.d.sync += [self.index.eq(0), self.part.eq(0)]
            m.next = following
            with m.If(wanted):
                m.next = name
                m.d.comb += [table.i.valid.eq(1), table.i.payload.address.eq(address)]
                m.d.comb += table.i.payload.n_beats.eq(n_words // self.n_parts)
                with m.If(table.i.ready):
                    m.next = f"{name}_WORDS"
        with running(f"{name}_WORDS"):
            m.d.comb += [valid.eq(table.o.valid), table.o.ready.eq(self.last & ready)]
            with m.If(valid & ready):
                m.d.sync += [self.index.eq(self.index + 1), self.part.eq(Mux(self.last, 0, self.part + 1))]
                with m.If(self.index == n_words - 1):
                    m.next = following
        return valid


def read_activation(m, running, job, address, words, o_segment):
    """States from ACTIVATION on, behind which comes HEAD: the table of a job's activation, to the lanes.

    running, words : as for :class:`Words`; address : of the table; o_segment : to the lanes, a line in a clock cycle.
    """
    wanted = job.linear & (job.activation == Activation.TABLE)
    valid = words.read(m, running, "ACTIVATION", wanted, address, TABLE_BYTES, "HEAD")
    m.d.sync += [o_segment.valid.eq(valid), o_segment.index.eq(words.index)]
    m.d.sync += Cat(o_segment.left, o_segment.slope).eq(words.word)


def read_descriptor(m, running, job, words, o_load):
    """States from CHAIN on, behind which comes WAIT: the descriptor of the job that follows, to the job registers."""
    wanted, ready = job.chain.any(), o_load.ready
    valid = words.read(m, running, "CHAIN", wanted, job.chain, DESCRIPTOR_BYTES, "WAIT", ready)
    m.d.comb += [o_load.valid.eq(valid), o_load.payload.index.eq(words.index), o_load.payload.word.eq(words.word)]
