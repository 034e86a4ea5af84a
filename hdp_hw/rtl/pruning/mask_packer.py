"""Words of the block mask."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.pruning.arithmetic import log2
from hdp_hw.spec.params import bits_for


class MaskPacker(wiring.Component):
    """Packs the decisions on a row's blocks into words of ``mask_word`` bits.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        The predictor has decided on a block.
    i_row : In(unsigned(params.block_width))
        With ``i_valid``: the block's row.
    i_column : In(unsigned(params.block_width))
        Blocks of a row come in order from 0.
    i_keep : In(unsigned(1))
        With ``i_valid``: the block is kept.
    i_last : In(unsigned(1))
        Last block of the row.
    o_valid : Out(unsigned(1))
        A word is full, or the row ends.
    o_row : Out(unsigned(params.block_width))
        With ``o_valid``: the row of the word's blocks.
    o_index : Out(unsigned(bits_for(params.mask_words - 1)))
        Index of the word in its row.
    o_mask : Out(unsigned(params.mask_word))
        Bit k is block column ``index * mask_word + k``; 0 beyond the row's last block.
    o_last : Out(unsigned(1))
        Last word of the row.

    Timing
    ------
    Latency ``latency`` = 1 clock cycle from a word's last block to the word, one block per clock cycle, no
    back-pressure.

    Numerics
    --------
    Golden twin ``golden.bits.pruning.block_rules.block_mask``.
    """

    latency = 1

    def __init__(self, params):
        self.params = params
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_row": In(unsigned(params.block_width)),
                "i_column": In(unsigned(params.block_width)),
                "i_keep": In(unsigned(1)),
                "i_last": In(unsigned(1)),
                "o_valid": Out(unsigned(1)),
                "o_row": Out(unsigned(params.block_width)),
                "o_index": Out(unsigned(bits_for(params.mask_words - 1))),
                "o_mask": Out(unsigned(params.mask_word)),
                "o_last": Out(unsigned(1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place_bits = log2(self.params.mask_word)
        place, index = self.i_column[:place_bits], self.i_column[place_bits:]
        bit = Signal(self.params.mask_word)
        m.d.comb += bit.eq(self.i_keep << place)
        m.d.sync += self.o_valid.eq(self.i_valid & (self.i_last | place.all()))
        with m.If(self.i_valid):
            m.d.sync += [
                self.o_mask.eq(Mux(place == 0, 0, self.o_mask) | bit),
                self.o_row.eq(self.i_row),
                self.o_index.eq(index),
                self.o_last.eq(self.i_last),
            ]
        return m
