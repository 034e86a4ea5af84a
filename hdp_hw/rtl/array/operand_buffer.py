"""Banked memory of one operand plane."""

from amaranth.hdl import C, Cat, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.layouts import row_layout
from hdp_hw.rtl.common.pipeline import LOCAL
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.spec.params import bits_for


class OperandBuffer(wiring.Component):
    """One plane (I or F digits of Q or K, or V) of several heads in T banks: row r of every block lies in bank r.

    A read returns one word of all T rows of a block, which is what the array takes in a cycle.

    Parameters
    ----------
    params : HdpParams
    n_heads : int
        Heads held at a time.
    n_words : int
        Words of a row of the largest head dimension.
    word_width : int
        Bits of a word; a word is moved, never looked into.
    long_rows : bool
        Rows have any number of words; the more they have, the fewer blocks there are: the product of both, as powers of
        two, is that of the longest heads. In an address, a word's index is written from the highest bit down.

    Ports
    -----
    i_write : In(unsigned(params.tile))
        The banks that are written, a bit each.
    i_write_head : In(unsigned(self.head_width))
        With ``i_write``: the place of the head in the buffer.
    i_write_block : In(unsigned(params.block_width))
        With ``i_write``: block of the row that is written.
    i_write_word : In(unsigned(self.word_bits))
        Index of the word in its row.
    i_write_data : In(unsigned(self.word_width))
        With ``i_write``: the word.
    i_read : In(unsigned(1))
        A block is read; ``o_words`` may keep still in other clock cycles.
    i_head : In(unsigned(self.head_width))
        Of the block that is read.
    i_block : In(unsigned(params.block_width))
        With ``i_read``: the block.
    i_word : In(unsigned(self.word_bits))
        With ``i_read``: index of the word in each of its rows.
    o_words : Out(row_layout(unsigned(self.word_width), params))
        A word of each row of the block.

    Timing
    ------
    ``o_words`` follows the read address by ``latency`` = 2 clock cycles. A word can be read in the clock cycle after it
    was written. A write may not address the word that is being read.
    """

    latency = 2

    def __init__(self, params, n_heads, n_words, word_width, long_rows=False):
        self.params, self.n_heads, self.word_width, self.long_rows = params, n_heads, word_width, long_rows
        self.head_width, self.index_width = bits_for(n_heads - 1), bits_for(n_words - 1)
        self.word_bits = bits_for(params.max_row_words - 1) if long_rows else self.index_width
        address = {
            "head": In(unsigned(self.head_width)),
            "block": In(unsigned(params.block_width)),
            "word": In(unsigned(self.word_bits)),
        }
        super().__init__(
            {
                "i_write": In(unsigned(params.tile)),
                **{f"i_write_{name}": member for name, member in address.items()},
                "i_write_data": In(unsigned(word_width)),
                "i_read": In(unsigned(1)),
                **{f"i_{name}": member for name, member in address.items()},
                "o_words": Out(row_layout(unsigned(word_width), params)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Powers of two, so that an address is a concatenation; only the number of heads is exact.
        depth = self.n_heads << (self.params.block_width + self.index_width)
        for bank in range(self.params.tile):
            m.submodules[f"bank_{bank}"] = store = separate_memory(unsigned(self.word_width), depth)
            write, read = store.write_port(), store.read_port()
            # Registers of the bank's own, as the banks lie far apart.
            to, source, word = (
                Signal(width, name=f"{name}_{bank}", reset_less=True, attrs=LOCAL)
                for name, width in (("to", len(write.addr)), ("from", len(read.addr)), ("word", self.word_width))
            )
            m.d.sync += [
                write.en.eq(self.i_write[bank]),
                to.eq(self._address("i_write_")),
                word.eq(self.i_write_data),
            ]
            with m.If(self.i_read):
                m.d.sync += source.eq(self._address("i_"))
            m.d.comb += [
                write.addr.eq(to),
                write.data.eq(word),
                read.addr.eq(source),
                read.en.eq(1),
                self.o_words[bank].eq(read.data),
            ]
        return m

    def _address(self, prefix):
        """Of a word in its bank."""
        head, block, word = (getattr(self, prefix + name) for name in ("head", "block", "word"))
        if not self.long_rows:
            return Cat(word, block, head)
        spare = self.params.block_width + self.index_width - len(word)
        return Cat(block | Cat(C(0, spare), word[::-1]), head)
