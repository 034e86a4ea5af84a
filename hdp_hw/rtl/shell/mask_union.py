"""Which key blocks any row of a head kept."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.spec.params import bits_for


class MaskUnion(wiring.Component):
    """Union of the rows of a head's mask, for the heads that the core may be ahead of their loading.

    Parameters
    ----------
    params : HdpParams
    n_readers : int
        Ports that read unions.

    Ports
    -----
    i_valid : In(unsigned(1))
        From the core's trace: a word of a mask comes in this clock cycle.
    i_index : In(unsigned(self.index_width))
        The word's place in its block row. Rows of a head do not get shorter.
    i_word : In(unsigned(params.mask_word))
        The word: a bit for each block that its row keeps.
    i_head_ends : In(unsigned(1))
        From the core's trace: the head is decided. It comes after the head's last word, also for a head without a mask.
    i_read : In(data.ArrayLayout(self.read_layout, self.n_readers))
        From each SegmentGenerator: the head, by its number modulo 4, and the word of its union to look up.
    o_word : Out(data.ArrayLayout(unsigned(params.mask_word), self.n_readers))
        To each SegmentGenerator: that word, a bit for each key block that some row of the head kept.

    Timing
    ------
    A mask word every clock cycle. ``o_word`` follows ``i_read`` by one clock cycle; a union may be read three clock
    cycles after the head's last word.

    Numerics
    --------
    Golden twin ``golden.bits.shell.fetch``.
    """

    def __init__(self, params, n_readers=2):
        self.params, self.n_readers = params, n_readers
        self.index_width = bits_for(params.mask_words - 1)
        self.read_layout = data.StructLayout({"index": unsigned(self.index_width), "head": unsigned(2)})
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_index": In(unsigned(self.index_width)),
                "i_word": In(unsigned(params.mask_word)),
                "i_head_ends": In(unsigned(1)),
                "i_read": In(data.ArrayLayout(self.read_layout, n_readers)),
                "o_word": Out(data.ArrayLayout(unsigned(params.mask_word), n_readers)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.unions = unions = memory.Memory(
            shape=unsigned(self.params.mask_word), depth=4 << self.index_width, init=[]
        )
        write = unions.write_port()
        old = unions.read_port(transparent_for=(write,))  # rows of a single word follow each other at once
        head, n_words = Signal(2), Signal(range(self.params.mask_words + 1))  # words that the head has so far
        valid, word, address, first = Signal(), Signal(self.params.mask_word), Signal(2 + self.index_width), Signal()
        m.d.comb += [
            old.addr.eq(Cat(self.i_index, head)),
            old.en.eq(self.i_valid),
            write.addr.eq(address),
            write.en.eq(valid),
            write.data.eq(word | Mux(first, 0, old.data)),
        ]
        m.d.sync += [valid.eq(self.i_valid), word.eq(self.i_word), address.eq(old.addr)]
        with m.If(self.i_valid):
            m.d.sync += first.eq(self.i_index >= n_words)
            with m.If(self.i_index >= n_words):
                m.d.sync += n_words.eq(self.i_index + 1)
        with m.If(self.i_head_ends):
            m.d.sync += [head.eq(head + 1), n_words.eq(0)]
        for reader in range(self.n_readers):
            port = unions.read_port()
            m.d.comb += [
                port.addr.eq(Cat(self.i_read[reader].index, self.i_read[reader].head)),
                port.en.eq(1),
                self.o_word[reader].eq(port.data),
            ]
        return m
