"""Sum of V over all keys of a head, accumulated while V is loaded."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hdp_hw.rtl.common.digits import less
from hdp_hw.rtl.common.storage import separate_memory
from hdp_hw.spec.params import bits_for


class ValueTotals(wiring.Component):
    """``total[e] += V[row, e]``, a word of ``lanes / 2`` elements a cycle, for two heads.

    Parameters
    ----------
    params : HdpParams

    Ports
    -----
    i_valid : In(unsigned(1))
        A word of V.
    i_first : In(unsigned(1))
        Of row 0, which starts the sums.
    i_half : In(unsigned(1))
        The half of the store that the head owns.
    i_word : In(unsigned(self.index_width))
        Index of the word in its row.
    i_digits : In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), 2), params.lanes // 2))
        {0: F, 1: I} of each element.
    i_read_half : In(unsigned(1))
        The half of the head whose total the drain reads.
    i_read_word : In(unsigned(self.index_width))
        Index of the word that the drain reads.
    o_total : Out(data.ArrayLayout(signed(params.value_sum_width), params.lanes // 2))
        The word's sums over all keys of the head.

    Timing
    ------
    One word per clock cycle, no back-pressure; a total can be read ``latency`` = 2 clock cycles after the last word of
    its column. ``o_total`` follows ``i_read_*`` by one clock cycle.

    Numerics
    --------
    Golden twin ``golden.bits.array.tile_array.value_total``.
    """

    latency = 2

    def __init__(self, params):
        self.params = params
        self.index_width = bits_for(params.max_value_words - 1)
        n = params.lanes // 2
        self.total_layout = data.ArrayLayout(signed(params.value_sum_width), n)
        super().__init__(
            {
                "i_valid": In(unsigned(1)),
                "i_first": In(unsigned(1)),
                "i_half": In(unsigned(1)),
                "i_word": In(unsigned(self.index_width)),
                "i_digits": In(data.ArrayLayout(data.ArrayLayout(signed(params.digit_width), 2), n)),
                "i_read_half": In(unsigned(1)),
                "i_read_word": In(unsigned(self.index_width)),
                "o_total": Out(self.total_layout),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.totals = totals = separate_memory(self.total_layout, 2 << self.index_width)
        write, before, read = totals.write_port(), totals.read_port(domain="comb"), totals.read_port()
        valid, place, address = Signal(), Cat(self.i_word, self.i_half), Signal(self.index_width + 1)
        digits, sums = Signal(self.i_digits.shape()), Signal(self.total_layout)
        m.d.comb += [
            before.addr.eq(place),
            write.addr.eq(address),
            write.data.eq(sums),
            write.en.eq(valid),
            read.addr.eq(Cat(self.i_read_word, self.i_read_half)),
            read.en.eq(1),
            self.o_total.eq(read.data),
        ]
        m.d.sync += [valid.eq(self.i_valid), address.eq(place), digits.eq(self.i_digits)]
        follows_itself = valid & (address == place)  # a word may, in the next cycle
        for i in range(self.params.lanes // 2):
            total = Signal(signed(self.params.value_sum_width), name=f"total_{i}")
            m.d.sync += total.eq(Mux(self.i_first, 0, Mux(follows_itself, sums[i], before.data[i])))
            fraction, integer = digits[i]
            m.d.comb += sums[i].eq(total + Cat(fraction, less(integer, fraction[-1])).as_signed())
        return m
